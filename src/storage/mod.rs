//! Answers questions.

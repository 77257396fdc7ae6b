//! Seldom: what only few of very many have at a time. Whoever has none pays a pointer for it.

/// Something that is there only while it says something.
#[derive(Debug)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Seldom<T> {
    /// What is there, if anything is.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// From now on there is nothing; what was there.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take().map(|it| *it)
    }

    /// From now on there is nothing, if this is so of what there is.
    pub(crate) fn take_if(&mut self, is_so: impl FnOnce(&T) -> bool) {
        self.0.take_if(|it| is_so(it));
    }
}

impl<T: Default> Seldom<T> {
    /// What is there from now on: empty, if nothing was.
    pub(crate) fn or_default(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T> From<Option<T>> for Seldom<T> {
    fn from(it: Option<T>) -> Self {
        Self(it.map(Box::new))
    }
}

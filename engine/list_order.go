package engine

// A listing begins in the middle only if the store is known to list everything from there. A server
// that lists like a directory tree has all of "a/…" before "a-b": asked for what follows "a-b", it
// leaves out "a/…". MinIO ends such a listing early, without an error. Read from the start, a
// listing in another order ends with errOrder, and no other is incomplete.

// startFromPrefix makes the listing begin at the start of its prefix, if it must not begin in the
// middle. The entries up to WithStartAfter are then dropped here.
func (l *listOp) startFromPrefix() {
	if !l.startsAfter(l.after) {
		l.req.StartAfter = ""
	}
}

// startsAfter reports whether the store is known to list everything after key.
func (l *listOp) startsAfter(key string) bool {
	d := &l.op.core.desc
	return d.FolderOrder || d.StartsAfter == nil || d.StartsAfter(l.req.Prefix, key)
}

// readsFromStart reports whether pages have entries that the caller did not ask for.
func (l *listOp) readsFromStart() bool { return l.after != "" && l.req.StartAfter == "" }

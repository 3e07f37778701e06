package storage

import (
	"github.com/omnibucket/storage/internal/unexported"
)

func guard(s *unexported.Settings, c *Condition, to Condition) {
	if s.Guarded {
		fail(s, "condition", "may be given once: IfAbsent, IfRevision and IfRevisionNot exclude one another")
		return
	}
	s.Guarded = true
	*c = to
}

// IfAbsent makes a write fail with PreconditionFailed, which is fs.ErrExist too, if the key
// exists. If several callers create one key at once, exactly one succeeds.
func IfAbsent() WriteOption {
	return writeOption(func(w written) { guard(w.set, w.condition, Condition{Absent: true}) })
}

type revisionOption string

func (o revisionOption) guard(c *Condition, s *unexported.Settings) {
	if o == "" {
		fail(s, "IfRevision", `must not be "": that is not "no condition"`)
	}
	guard(s, c, Condition{Revision: string(o)})
}
func (o revisionOption) applyUpload(r *UploadOptions)     { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyMultipart(r *UploadOptions)  { o.applyUpload(r) }
func (o revisionOption) applyCopy(r *CopyOptions)         { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyDownload(r *DownloadOptions) { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyAttrs(r *DownloadOptions)    { o.guard(&r.Condition, &r.set) }
func (o revisionOption) applyReaderAt(r *readerAtRequest) { o.applyAttrs(&r.get) }
func (o revisionOption) applyRemove(r *RemoveOptions)     { o.guard(&r.Condition, &r.set) }

// IfRevision makes an operation fail with PreconditionFailed if the object has another
// revision than this [Attrs].Revision. An empty revision does not mean "no condition": it is
// InvalidArgument, and so is a revision of another provider. If the bucket does not declare
// [UniqueRevisions] (S3), a revision depends on the content: an object that was changed and
// changed back passes.
func IfRevision(revision string) RevisionOption { return revisionOption(revision) }

type revisionNotOption string

func (o revisionNotOption) guard(r *DownloadOptions) {
	if o == "" {
		fail(&r.set, "IfRevisionNot", "must not be empty")
	}
	guard(&r.set, &r.Condition, Condition{NotRevision: string(o)})
}
func (o revisionNotOption) applyDownload(r *DownloadOptions) { o.guard(r) }
func (o revisionNotOption) applyAttrs(r *DownloadOptions)    { o.guard(r) }
func (o revisionNotOption) applyReaderAt(r *readerAtRequest) { o.guard(&r.get) }

// IfRevisionNot makes a read fail with NotModified if the object still has that revision.
func IfRevisionNot(revision string) ReadOption { return revisionNotOption(revision) }

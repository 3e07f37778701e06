package storage

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage/internal/unexported"
)

// WithResume records in the file at path how far a multipart upload has come. The same call
// resumes an upload that was canceled, that failed for a reason that passes, or whose process
// was killed. A part that the store has is not sent again if the body still has the same
// bytes there, compared by CRC32C. The file does not hold the body. It is created when the
// first part begins and removed when the upload has ended. A body that goes in one request
// has no such file: on local and memory buckets, that is every body without [WithPartSize].
//
// Each upload needs a file of its own, in a directory that exists. If something else has
// written the file, the call fails with InvalidArgument and does not change it. If another
// call uses the file, the call fails with Locked.
//
// The same call has the same key, attributes, condition, size and WithPartSize. If
// the file describes a different call, that upload is abandoned (and its parts
// removed, if it belongs to this bucket) and a new one starts. A new one starts too
// if the store has dropped the parts: Azure, GCS, local and memory do after a week,
// S3 by a lifecycle rule. An upload that nobody resumes leaves its parts in the
// store: [AbandonUpload] removes them.
//
// A body that is read in place, such as a file, is best. A stream must deliver the
// same bytes again; if the store has dropped the parts, the call fails with
// Unavailable and the next call starts over. A failure to write the file ends the
// upload with Internal, and errors.As reaches the *fs.PathError. With GCS, a program
// that can read the file can write to the upload: the file's mode is 0600.
func WithResume(path string) ResumeOption {
	return resumeOption(path)
}

type resumeOption string

func (o resumeOption) apply(s *unexported.Settings) {
	if o == "" {
		fail(s, "WithResume", "must name a file")
	}
	s.ResumeFile = string(o)
}

func (o resumeOption) applyUpload(r *UploadOptions) { o.apply(&r.set) }
func (o resumeOption) applyCopy(r *CopyOptions)     { o.apply(&r.set) }

// AbandonUpload abandons the upload that [WithResume] recorded in the file at path:
// it removes the parts from the store, and then the file. If there is no such file,
// it does nothing.
//
// If the upload is another bucket's, its key is outside of b's prefix, or WithResume has
// not written the file, AbandonUpload fails with InvalidArgument and the file stays. If a
// call uses the file, it fails with Locked. If b is neither from [New] nor unwraps to such a bucket
// ([Unwrapper]), it fails with Unsupported.
func AbandonUpload(ctx context.Context, b Uploader, path string) error {
	own, ok := reach(b)
	if !ok {
		return located(b, "AbandonUpload", "", unsupported(fmt.Sprintf("AbandonUpload needs a bucket from storage.New, and the value is a %T, which has no Unwrap", innermost(b)), ""))
	}
	return own.AbandonUpload(ctx, path)
}

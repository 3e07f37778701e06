package transfer

import "github.com/omnibucket/storage/transfer/internal/copier"

// WithResume keeps the state of large uploads in the directory dir. Each upload in progress has one
// small state file there. The directory is created if necessary. If the job is killed and then
// repeated, it sends only the missing parts of each file, as [storage.WithResume] does. At most 16
// MiB or a tenth of the file, whichever is more, are sent a second time.
//
// A download of at least 16 MiB needs no state file. If the job is killed, the next job into the
// same directory continues the download, if the object still has the same revision. That happens
// without WithResume, too. The download has a temporary file in the directory of the downloaded
// file. With WithResume, the temporary file also stays if the job is canceled, or fails with a
// temporary error.
//
// Each job needs its own directory dir on this machine. If dir lies in a source or destination
// directory, the job skips dir. If dir is that directory itself, or lies in a local bucket of the
// job, the job fails with InvalidArgument. If another run of the job is sending a file, that file
// fails with Locked. If a later version of this library has begun to send a file, that file fails
// with Unsupported. If an upload was not resumed within a week, the next job that uses dir
// abandons the upload and removes its parts.
func WithResume(dir string) Option {
	return checked(dir != "", "WithResume", "must name a directory", func(s *settings) {
		s.resume = copier.ResumeDir(dir)
	})
}

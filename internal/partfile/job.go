package partfile

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/localfile"
)

// A Job creates the temporary files of one job. Unlike a [File], they cannot be continued later.
// Its methods may be called concurrently.
type Job struct {
	dir   Dir
	top   string // directory that holds the mark
	sync  bool
	begun sync.Once
	name  string // name of the mark
	mark  *mark  // nil if no mark could be created
	count atomic.Int64
}

// NewJob returns a Job for files in the directory top and the directories below it. If sync is
// true, the mark of the Job survives a power failure.
func NewJob(dir Dir, top string, sync bool) *Job { return &Job{dir: dir, top: top, sync: sync} }

// Create creates a temporary file in the directory of target, and returns it and its path. The
// caller must rename or remove it.
func (j *Job) Create(target string, mode os.FileMode) (f *os.File, path string, err error) {
	j.begin()
	path = dataPath(filepath.Dir(target), j.name, strconv.FormatInt(j.count.Add(1), 16))
	f, err = j.dir.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	return f, path, err
}

// begin creates the mark of the Job, a small file that identifies its temporary files. Only the
// first call has an effect.
func (j *Job) begin() {
	j.begun.Do(func() {
		j.name = localfile.TempName()
		m, err := createMark(j.dir, filepath.Join(j.top, j.name), header{})
		if err != nil {
			// The error is not reported, because subdirectories may be writable. If they are not,
			// Create fails.
			return
		}
		if j.sync {
			// If this fails, the mark still exists, but a power failure may lose it.
			_ = m.file.Sync()
		}
		j.mark = m
	})
}

// Close removes the mark of the Job. If j is nil, it does nothing.
func (j *Job) Close() {
	if j != nil {
		j.mark.remove()
	}
}

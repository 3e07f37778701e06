package partfile

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/hexid"
)

// A Job makes the temporary files of one job, which need not be continued. Its methods may be called concurrently.
type Job struct {
	dir   Dir
	top   string // the directory of the mark
	sync  bool
	begun sync.Once
	name  string // name of the mark
	mark  *mark  // nil if the directory cannot have a mark
	count atomic.Int64
}

// NewJob returns a Job with files in and below the directory top. With sync, a power failure does not lose the mark.
func NewJob(dir Dir, top string, sync bool) *Job { return &Job{dir: dir, top: top, sync: sync} }

// Create creates a file in the directory of target, and returns its path. Its user renames or removes it.
func (j *Job) Create(target string, mode os.FileMode) (f *os.File, path string, err error) {
	j.begin()
	path = dataPath(filepath.Dir(target), j.name, strconv.FormatInt(j.count.Add(1), 16))
	f, err = j.dir.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	return f, path, err
}

// begin makes the mark, before the first file is made.
func (j *Job) begin() {
	j.begun.Do(func() {
		j.name = durable.TempPrefix + hexid.New(8)
		m, err := createMark(j.dir, filepath.Join(j.top, j.name), header{})
		if err != nil { // only directories below this one may be writable; creating a file shows any other error
			m.remove()
			return
		}
		if j.sync {
			_ = m.file.Sync()
		}
		j.mark = m
	})
}

// Close removes the mark.
func (j *Job) Close() {
	if j != nil {
		j.mark.remove()
	}
}

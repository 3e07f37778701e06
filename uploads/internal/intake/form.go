package intake

import (
	"errors"
	"io"
)

// A Form limits what is read of a form between its files: mime/multipart would hold up to 10 MiB of a part's
// header, several times over.
type Form struct {
	From   io.Reader
	Left   int64 // bytes, unless Lifted
	Lifted bool  // it is in a file
	Failed error // of From
}

// Exhausted reports whether there was too much between two files.
func (f *Form) Exhausted() bool { return !f.Lifted && f.Left <= 0 }

// Read implements [io.Reader].
func (f *Form) Read(p []byte) (int, error) {
	if f.Exhausted() {
		return 0, errors.New("the fields of the form are too long")
	}
	if !f.Lifted {
		p = p[:min(int64(len(p)), f.Left)]
	}
	n, err := f.From.Read(p)
	f.Left -= int64(n)
	if err != nil && err != io.EOF {
		f.Failed = err
	}
	return n, err
}

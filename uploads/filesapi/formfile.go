package filesapi

import (
	"io"
	"mime/multipart"

	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads"
)

// A formFile reads the file of a form. It ends with io.EOF only if the form is
// complete and nothing forbidden follows the file. After any other error, a store
// keeps nothing.
type formFile struct {
	part  *multipart.Part
	form  *formReader
	left  int64
	limit int64
	// after is called when the fields after the file have been read; nil: no field
	// may follow.
	after func() error
	err   error // of all later reads
}

func (f *formFile) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.part.Read(p)
	f.left -= int64(n)
	switch {
	case f.left < 0:
		f.err = refuse(fieldFile, uploads.TooLarge, "The file is too large: at most "+words.Bytes(f.limit)+" in one request. Send it in parts.")
		return 0, f.err
	case err == io.EOF:
		f.err = f.end()
	case err != nil:
		f.err = f.form.failure(fieldFile, err)
	}
	return n, f.err
}

// end returns io.EOF, unless something after the file is wrong.
func (f *formFile) end() error {
	f.form.body.lifted, f.form.body.left = false, maxFormFields
	if f.after != nil {
		for {
			if err := f.form.next(0); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
		}
		if err := f.after(); err != nil {
			return err
		}
		return io.EOF
	}
	after, err := f.form.parts.NextRawPart()
	switch {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return f.form.failure(fieldFile, err)
	case after.FormName() == fieldFile:
		return refuse(fieldFile, uploads.InvalidRequest, "This field is given twice.")
	}
	return refuse(after.FormName(), uploads.InvalidRequest, "This field must come before the file, which is last.")
}

// failure returns the error of the form if there is one, otherwise err.
func (f *formFile) failure(err error) error {
	if f.err != nil && f.err != io.EOF {
		return f.err
	}
	return err
}

package local

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// An upload is a directory with a file for each part, and one with the key,
// whose time is when the upload was begun. Without that file it is none.
const uploadKeyName = "key"

func uploadPath(upload string) string { return uploadsPath + "/" + upload }

func partName(number int) string { return "part-" + strconv.Itoa(number) }

var errUpload = invalid.Argument("upload", "is unknown: it was completed, aborted or left for too long, or is another key's", "")

func validUpload(upload string) bool {
	return len(upload) == 24 && strings.Trim(upload, hexDigits) == ""
}

// An openUpload is one that a call works on. For as long, the call shares the
// lock of the key file, which tells a sweep to leave the upload alone. Nobody
// waits for the call: others share the lock, and a sweep does not wait.
type openUpload struct {
	*dir
	key *os.File
}

// upload opens an upload of key.
func (s *store) upload(ctx context.Context, key, upload string) (*openUpload, error) {
	if !validUpload(upload) {
		return nil, errUpload
	}
	d, err := s.open(uploadPath(upload))
	if isNoObject(err) {
		if err := s.notFoundError(); err != storage.ObjectNotFound {
			return nil, err
		}
		return nil, errUpload
	}
	if err != nil {
		return nil, failure(err)
	}
	f, err := shareKey(ctx, d, key)
	if err != nil {
		d.close()
		return nil, err
	}
	return &openUpload{d, f}, nil
}

func (u *openUpload) close() {
	_ = u.key.Close()
	u.dir.close()
}

// shareKey locks the key file, if it is of key. A sweep may have removed it
// between the opening and the lock.
func shareKey(ctx context.Context, d *dir, key string) (*os.File, error) {
	opened, err := d.open(uploadKeyName)
	if isNoObject(err) {
		return nil, errUpload
	}
	if err != nil {
		return nil, failure(err)
	}
	f := opened.osFile(uploadKeyName)
	if opened.meta.kind != kindFile {
		err = errUpload
	} else if err = waitForFile(ctx, f, tryShareFile); err == nil {
		err = checkKey(d, f, key)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func checkKey(d *dir, f *os.File, key string) error {
	of, err := readKey(f)
	if err != nil {
		return failure(err)
	}
	if _, err = d.stat(uploadKeyName); isNoObject(err) || err == nil && !bytes.Equal(of, []byte(key)) {
		return errUpload
	}
	return failure(err)
}

// readKey reads no more than shows that there is more than a key.
func readKey(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, maxKey+1))
}

func (s *store) removeUpload(ctx context.Context, upload string) error {
	if err := retryInUse(ctx, func() error { return s.root.RemoveAll(uploadPath(upload)) }); err != nil {
		return failure(err)
	}
	return nil
}

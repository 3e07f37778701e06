// Sftp serves a bucket over SFTP. OpenSSH checks keys and passwords, and starts this program for
// each connection. The file sshd_config needs this line:
//
//	Subsystem sftp /usr/local/bin/bucketsftp -bucket s3://my-bucket?region=eu-west-1
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"log"
	"os"

	"github.com/pkg/sftp"
	files "github.com/spf13/afero"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/afero"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	address := flag.String("bucket", "mem://files", "address of the bucket")
	flag.Parse()
	bucket, err := storage.Open(context.Background(), *address)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(context.Background(), bucket, standardStreams{os.Stdin, os.Stdout}); err != nil {
		log.Fatal(err)
	}
}

// A standardStreams is the connection to OpenSSH: standard input and standard output.
type standardStreams struct {
	io.Reader
	io.WriteCloser
}

// serve handles the requests of one client until the connection ends.
func serve(ctx context.Context, b storage.Bucket, connection io.ReadWriteCloser) error {
	h := handlers{afero.New(ctx, b)}
	err := sftp.NewRequestServer(connection, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h}).Serve()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A handlers implements the handlers of package sftp with the files in a bucket.
type handlers struct{ files files.Fs }

func (h handlers) Fileread(r *sftp.Request) (io.ReaderAt, error) { return h.files.Open(r.Filepath) }

// Filewrite opens a file for writing. The bucket stores the file when the client closes it.
func (h handlers) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	p := r.Pflags()
	flags := os.O_RDWR
	if p.Creat {
		flags |= os.O_CREATE
	}
	if p.Trunc {
		flags |= os.O_TRUNC
	}
	if p.Excl {
		flags |= os.O_EXCL
	}

	f, err := h.files.OpenFile(r.Filepath, flags, 0o644)
	if err != nil || !p.Append {
		return f, err
	}

	// A file that is opened for appending accepts only writes after its current end.
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return appended{f, info.Size()}, nil
}

// The type appended is a file that a client has opened for appending. The file accepts only writes
// at or after its old end. OpenSSH sends such writes. Other clients send offsets that begin at 0.
// Their writes are refused, because they would overwrite the old content.
type appended struct {
	files.File
	end int64
}

func (f appended) WriteAt(p []byte, offset int64) (int, error) {
	if offset < f.end {
		return 0, sftp.ErrSSHFxOpUnsupported
	}
	return f.File.WriteAt(p, offset)
}

// TransferError is called if the connection ends before the file is closed. The old content of the
// file stays.
func (f appended) TransferError(err error) { f.File.(sftp.TransferError).TransferError(err) }

func (h handlers) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Mkdir":
		return h.files.Mkdir(r.Filepath, 0o755)
	case "Remove", "Rmdir":
		return h.files.Remove(r.Filepath)
	case "Rename":
		// SFTP does not permit replacing a file.
		_, err := h.files.Stat(r.Target)
		isFree := errors.Is(err, fs.ErrNotExist)
		if !isFree {
			return errors.Join(err, fs.ErrExist)
		}
		return h.files.Rename(r.Filepath, r.Target)
	case "Setstat":
		if attributes := r.Attributes(); attributes != nil && r.AttrFlags().Size {
			return h.truncate(r.Filepath, int64(attributes.Size))
		}
		return nil // modes and times, which clients set after an upload, do not exist in a bucket
	}
	return sftp.ErrSSHFxOpUnsupported
}

func (h handlers) truncate(name string, size int64) error {
	f, err := h.files.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// PosixRename renames a file. If a file with the new name exists, it is replaced.
func (h handlers) PosixRename(r *sftp.Request) error { return h.files.Rename(r.Filepath, r.Target) }

func (h handlers) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	switch r.Method {
	case "List":
		entries, err := files.ReadDir(h.files, r.Filepath)
		return listing(entries), err
	case "Stat":
		info, err := h.files.Stat(r.Filepath)
		return listing{info}, err
	}
	return nil, sftp.ErrSSHFxOpUnsupported
}

// A listing holds the files for one response to a client.
type listing []fs.FileInfo

func (l listing) ListAt(dst []fs.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(dst, l[offset:])
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

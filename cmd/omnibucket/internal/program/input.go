package program

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
)

// Input returns standard input as a body. If it is a file, the body is that file, which is
// uploaded without a copy.
func (p *Program) Input(ctx context.Context) (body io.Reader, release func()) {
	if file, ok := p.Around.In.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, func() {}
		}
	}
	return interruptible(ctx, func() (io.ReadCloser, error) { return io.NopCloser(p.Around.In), nil })
}

// interruptible returns what open opens as a body. Opening or reading a pipe may block forever, so
// the body fails when ctx is done, and nothing is stored.
func interruptible(ctx context.Context, open func() (io.ReadCloser, error)) (body io.Reader, release func()) {
	reader, writer := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	go func() {
		from, err := open()
		if err == nil {
			_, err = io.Copy(writer, from)
			_ = from.Close() // it was only read
		}
		_ = writer.CloseWithError(err) // nil is EOF
	}()
	return reader, func() {
		stop()
		_ = reader.Close()
	}
}

// UploadPath uploads a file, or what another process writes to a named pipe.
func (p *Program) UploadPath(
	ctx context.Context, bucket storage.Bucket, key, path string, opts []storage.UploadOption,
) (*storage.Attrs, error) {
	if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return uploadFile(ctx, bucket, key, path, opts)
	}
	if p.Global.DryRun { // which must take nothing from the pipe
		return bucket.Upload(ctx, key, strings.NewReader(""), opts...)
	}
	body, release := interruptible(ctx, func() (io.ReadCloser, error) { return os.Open(path) })
	defer release()
	return bucket.Upload(ctx, key, body, opts...)
}

// uploadFile uploads a file as it is when it is opened. If it changes meanwhile, nothing is stored.
func uploadFile(
	ctx context.Context, bucket storage.Bucket, key, path string, opts []storage.UploadOption,
) (*storage.Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		return storage.UploadFile(ctx, bucket, key, path, opts...) // which returns the error
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 { // files of /proc have size 0 and content
		return bucket.Upload(ctx, key, file, opts...)
	}
	content := localfile.NewStable(file, info)
	attrs, err := bucket.Upload(ctx, key, content.Reader(), opts...)
	if err != nil && content.Changed() {
		err = ChangedFile(path)
	}
	return attrs, err
}

// ChangedFile returns the error of a file that changed while it was read.
func ChangedFile(path string) error {
	return &storage.Error{
		Code: storage.Changed, Key: path, Err: localfile.ErrChanged,
		Hint: "repeat the command when no program writes to the file, or read what is there through a pipe, with \"-\" as the source",
	}
}

// Download writes one object to standard output.
func (p *Program) Download(
	ctx context.Context, bucket storage.Downloader, key string, opts []storage.DownloadOption,
) error {
	reader, err := bucket.Download(ctx, key, opts...)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	_, err = reader.WriteTo(p.Out)
	return err
}

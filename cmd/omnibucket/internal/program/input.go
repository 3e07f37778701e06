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

// Input returns standard input as the body of an upload. If standard input is a regular file, the
// body is that file, so that the upload reads it in place.
func (p *Program) Input(ctx context.Context) (body io.Reader, release func()) {
	if file, ok := p.Around.In.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return file, func() {}
		}
	}
	return interruptible(ctx, func() (io.ReadCloser, error) { return io.NopCloser(p.Around.In), nil })
}

// interruptible returns a body that reads what open opens, and fails when ctx is done. Without that, an
// upload could not be interrupted while a pipe is opened or read. The caller must call release.
func interruptible(ctx context.Context, open func() (io.ReadCloser, error)) (body io.Reader, release func()) {
	reader, writer := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	go func() {
		src, err := open()
		if err == nil {
			_, err = io.Copy(writer, src)
			// Nothing was written to the file, so an error of Close does not matter.
			_ = src.Close()
		}
		// If err is nil, the reader receives io.EOF.
		_ = writer.CloseWithError(err)
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
	// If the file does not exist, uploadFile returns the error.
	info, err := os.Stat(path)
	isPipe := err == nil && info.Mode()&fs.ModeNamedPipe != 0
	if !isPipe {
		return uploadFile(ctx, bucket, key, path, opts)
	}
	if p.Global.DryRun {
		// A dry run must not read the pipe.
		return bucket.Upload(ctx, key, strings.NewReader(""), opts...)
	}

	body, release := interruptible(ctx, func() (io.ReadCloser, error) { return os.Open(path) })
	defer release()
	return bucket.Upload(ctx, key, body, opts...)
}

// uploadFile uploads a file. If another program changes the file meanwhile, it fails and stores
// nothing.
func uploadFile(
	ctx context.Context, bucket storage.Bucket, key, path string, opts []storage.UploadOption,
) (*storage.Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		// UploadFile also fails to open the file, and returns the right error for that.
		return storage.UploadFile(ctx, bucket, key, path, opts...)
	}
	// Nothing was written to the file, so an error of Close does not matter.
	defer file.Close()

	info, err := file.Stat()
	// A file of /proc has content although its size is 0.
	hasKnownSize := err == nil && info.Mode().IsRegular() && info.Size() > 0
	if !hasKnownSize {
		return bucket.Upload(ctx, key, file, opts...)
	}

	// A change of the file is an error only while its content is uploaded.
	content := localfile.NewStable(file, info)
	attrs, err := bucket.Upload(ctx, key, content.Reader(), opts...)
	if err != nil && content.Changed() {
		err = ChangedFile(path)
	}
	return attrs, err
}

// ChangedFile returns the error for a file that changed while it was read.
func ChangedFile(path string) error {
	return &storage.Error{
		Code: storage.Changed,
		Key:  path,
		Err:  localfile.ErrChanged,
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
	defer reader.Close()
	_, err = reader.WriteTo(p.Out)
	return err
}

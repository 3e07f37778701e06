package cookbook

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/omnibucket/storage"
)

// writeCompressed stores what write writes, compressed. Nothing is stored if write fails.
func writeCompressed(ctx context.Context, bucket storage.Uploader, key string, write func(io.Writer) error) error {
	object := storage.NewWriter(ctx, bucket, key, storage.WithContentType("application/gzip"))
	defer func() { _ = object.Close() }()
	compressed := gzip.NewWriter(object)
	if err := write(compressed); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	_, err := object.Commit()
	return err
}

// eachLine calls do with each line of an object of any size. It fails if a line is longer than
// 64 KiB: lines.Buffer sets another limit.
func eachLine(ctx context.Context, bucket storage.Downloader, key string, do func(line string) error) error {
	reader, err := bucket.Download(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if err := do(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// lastBytes reads the end of an object, such as the newest lines of a log.
func lastBytes(ctx context.Context, bucket storage.Downloader, key string, n int64) ([]byte, error) {
	tail, _, err := storage.ReadAll(ctx, bucket, key, storage.WithRange(-n, -1))
	return tail, err
}

// storeByContent stores a file under the hash of its content. The same content is stored once,
// however often and from however many processes it is uploaded.
func storeByContent(ctx context.Context, bucket storage.Uploader, path string) (key string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	key = "blobs/" + hex.EncodeToString(hash.Sum(nil))
	_, err = storage.UploadFile(ctx, bucket, key, path, storage.IfAbsent())
	if errors.Is(err, storage.PreconditionFailed) {
		return key, nil // it is there already
	}
	return key, err
}

// uploadBackup continues after a crash or a lost connection if it is called again. It sends
// only what is missing.
func uploadBackup(ctx context.Context, bucket storage.Uploader, path string, report func(done, total int64)) error {
	_, err := storage.UploadFile(ctx, bucket, "backups/db.tar", path,
		storage.WithResume(path+".resume"), storage.WithProgress(report))
	return err
}

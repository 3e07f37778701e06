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

// writeCompressed stores the compressed output of write. If write fails, nothing is stored.
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

// eachLine calls the function do with each line of an object. The object may have any size.
// eachLine fails if a line is longer than 64 KiB. To change this limit, call lines.Buffer.
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

// storeByContent stores a file under the hash of its content. The same content is stored once, even if several
// processes upload it.
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
		return key, nil // the object exists already
	}
	return key, err
}

// uploadBackup uploads a file. After a crash or a lost connection, call it again: it sends only what is missing.
func uploadBackup(ctx context.Context, bucket storage.Uploader, path string, report func(done, total int64)) error {
	_, err := storage.UploadFile(ctx, bucket, "backups/db.tar", path,
		storage.WithResume(path+".resume"), storage.WithProgress(report))
	return err
}

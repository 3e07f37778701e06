// Zip lists the files in a zip archive in a bucket without downloading the archive. That is
// possible because the directory of a zip file is at its end. The program first uploads a large
// archive. It then prints how many requests and bytes the listing takes.
//
//	go run ./examples/zip [-bucket ADDRESS] [-files N]
package main

import (
	"archive/zip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

const fileBytes = 32 << 10

func main() {
	address := flag.String("bucket", "mem://archives", "address of the bucket")
	files := flag.Int("files", 5000, "files in the archive")
	flag.Parse()
	if err := run(context.Background(), *address, *files, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string, files int, w io.Writer) error {
	const key = "examples/archive.zip"
	var seen traffic
	bucket, err := storage.Open(ctx, address, storage.WithHook(seen.hook))
	if err != nil {
		return err
	}
	defer storage.Close(bucket)
	attrs, err := upload(ctx, bucket, key, files)
	if err != nil {
		return err
	}

	// Count only the requests of the listing.
	seen.reset()
	listed, total, listErr := list(ctx, bucket, key)
	requests := seen.requests.Load()
	bytes := seen.bytes.Load()

	removeErr := bucket.Remove(context.WithoutCancel(ctx), key)
	if err := errors.Join(listErr, removeErr); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d files of %d bytes in an archive of %d bytes\n", listed, total, attrs.Size)
	fmt.Fprintf(w, "listed by %d requests and %d bytes\n", requests, bytes)
	return nil
}

// upload creates an archive, and uploads it while it is being created.
func upload(ctx context.Context, b storage.Uploader, key string, files int) (*storage.Attrs, error) {
	w := storage.NewWriter(ctx, b, key)
	defer w.Close()
	archive := zip.NewWriter(w)
	content := make([]byte, fileBytes)
	random := rand.NewChaCha8([32]byte{1})
	for i := range files {
		_, _ = random.Read(content) // Read never fails
		file, err := archive.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("photos/%04d/%06d.raw", i/100, i)})
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return w.Commit()
}

// list returns the number of files in an archive, and their total size in bytes.
func list(ctx context.Context, b interface {
	storage.Downloader
	storage.AttrsReader
}, key string) (files int, bytes uint64, err error) {
	r, err := storage.NewReaderAt(ctx, b, key)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	archive, err := zip.NewReader(r, r.Size())
	if err != nil {
		return 0, 0, err
	}
	for _, file := range archive.File {
		bytes += file.UncompressedSize64
	}
	return len(archive.File), bytes, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

const parallel = 8 // number of uploads at the same time

// A total has the number of files and their bytes.
type total struct {
	files int
	bytes int64
}

func (t *total) add(bytes int64) {
	t.files++
	t.bytes += bytes
}

// uploaded describes the result of the upload.
type uploaded struct {
	total   total
	example string   // key of the file that the rest of the tour uses
	refused []string // files whose names cannot be keys
}

// upload stores every file of the tree, several at the same time. It skips files whose names no
// object can have. After another failure, it stops, and returns what it has uploaded so far.
func (t *tour) upload(ctx context.Context) (*uploaded, error) {
	paths, err := t.tree.files()
	if err != nil {
		return &uploaded{}, err
	}
	t.out.section("Upload", "bucket.Upload(ctx, key, file)")
	start := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// The workers upload the files. A failure cancels ctx, which stops the others.
	queue := make(chan string)
	var up uploaded
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for path := range queue {
				attrs, err := t.uploadFile(ctx, path)
				mu.Lock()
				switch {
				case errors.Is(err, storage.InvalidArgument): // the name cannot be a key
					up.refused = append(up.refused, path)
				case err != nil:
					cancel(err)
				default:
					up.total.add(attrs.Size)
					up.example = preferred(up.example, path, attrs.Size)
				}
				mu.Unlock()
			}
		})
	}
	for _, path := range paths {
		select {
		case queue <- path:
		case <-ctx.Done():
		}
	}
	close(queue)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return &up, err
	}

	facts := []fact{
		{
			"uploaded",
			fmt.Sprintf(
				"%s in %s, %d at a time", amount(up.total.files, up.total.bytes), duration(time.Since(start)),
				parallel,
			),
		},
	}
	for _, path := range up.refused {
		facts = append(facts, fact{"skipped", fmt.Sprintf("%q: not every provider can store such a name", path)})
	}
	t.out.facts("", facts...)
	return &up, nil
}

func (t *tour) uploadFile(ctx context.Context, path string) (*storage.Attrs, error) {
	file, err := t.tree.fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return t.bucket.Upload(ctx, path, file, storage.WithMetadata(map[string]string{"uploaded-by": "tour"}))
}

// preferred returns which of two files the tour uses as its example. It prefers README.md.
// Otherwise it prefers the first file by name that is not empty.
func preferred(best, path string, size int64) string {
	switch {
	case path == "README.md" || best == "":
		return path
	case best == "README.md" || size == 0 || best < path:
		return best
	default:
		return path
	}
}

// sum returns the CRC32C of a file of the tree.
func (t tree) sum(path string) (uint32, error) {
	file, err := t.fsys.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	hash := crc32.New(castagnoli)
	_, err = io.Copy(hash, file)
	return hash.Sum32(), err
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

const (
	mebibyte = 1 << 20
	large    = 256 * mebibyte
	streams  = 32
	uploaded = "uploaded"
)

// A work is a function that uses a client. Depending on the function, n is a number of operations,
// keys or bytes.
type work func(ctx context.Context, c client, n int) error

var (
	smallKeys   = sizedKeys(kilobyte, 64)
	smallObject = make([]byte, kilobyte)
)

// sized returns a key that contains the size and the number of an object. When a client reads the
// key, the null server generates content of this size.
func sized(bytes, i int) string { return fmt.Sprintf("%d/object-%06d", bytes, i) }

func sizedKeys(bytes, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = sized(bytes, i)
	}
	return keys
}

func putSmall(ctx context.Context, c client, n int) error {
	for i := range n {
		if err := c.put(ctx, smallKeys[i%len(smallKeys)], smallObject); err != nil {
			return err
		}
	}
	return nil
}

// getSmall reads n objects of 1 KiB. A client without the method get opens an object and reads it to
// its end.
func getSmall(ctx context.Context, c client, n int) error {
	get := c.get
	if get == nil {
		get = func(ctx context.Context, key string, buffer []byte) error {
			r, err := c.open(ctx, key)
			if err != nil {
				return err
			}
			return drain(r, buffer)
		}
	}
	buffer := make([]byte, kilobyte)
	for i := range n {
		if err := get(ctx, smallKeys[i%len(smallKeys)], buffer); err != nil {
			return err
		}
	}
	return nil
}

// readAdjacent returns a work that opens an object of 64 MiB n times. Each time, it reads adjacent
// pieces of the given size from the middle of the object, one after the other.
func readAdjacent(pieces, bytes int) work {
	return func(ctx context.Context, c client, n int) error {
		p := make([]byte, bytes)
		for range n {
			r, err := c.random(ctx, sized(64*mebibyte, 0))
			if err != nil {
				return err
			}
			for i := range pieces {
				if _, err := r.ReadAt(p, int64(32*mebibyte+i*bytes)); err != nil {
					return errors.Join(err, r.Close())
				}
			}
			if err := r.Close(); err != nil {
				return err
			}
		}
		return nil
	}
}

// readRanges returns a work that reads the same ranges again and again from an object of 64 MiB. A
// range has the given number of bytes. The ranges form groups, which begin at equal distances in
// the object. Within a group, the gap between two ranges is as long as a range.
func readRanges(groups, perGroup, bytes int) work {
	var ranges []storage.Range
	for group := range groups {
		start := group * 64 * mebibyte / groups
		for i := range perGroup {
			ranges = append(ranges, storage.Range{Offset: int64(start + 2*i*bytes), Length: int64(bytes)})
		}
	}
	return func(ctx context.Context, c client, n int) error {
		for range n {
			if err := c.ranges(ctx, sized(64*mebibyte, 0), ranges); err != nil {
				return err
			}
		}
		return nil
	}
}

// listKeys lists n keys.
func listKeys(ctx context.Context, c client, n int) error { return listBusily(ctx, c, n, 1, 0) }

// listPages returns a work that lists ten pages of 1,000 keys, n times. After each group of keys,
// it pauses like a caller that handles the keys. every is the number of keys in a
// group, and busy is the duration of the pause.
func listPages(every int, busy time.Duration) work {
	return func(ctx context.Context, c client, n int) error {
		for range n {
			if err := listBusily(ctx, c, 10*1000, every, busy); err != nil {
				return err
			}
		}
		return nil
	}
}

func listBusily(ctx context.Context, c client, keys, every int, busy time.Duration) error {
	got := 0
	err := c.list(ctx, fmt.Sprintf("%d/", keys), func() {
		got++
		if got%every == 0 && busy > 0 {
			time.Sleep(busy)
		}
	})
	return errors.Join(err, checkCount(got, keys))
}

// signURLs returns a work that signs the given number of URLs in each operation.
func signURLs(urls int) work {
	keys := keyRing(64)
	return func(ctx context.Context, c client, n int) error {
		for i := range n {
			for range urls {
				if err := c.sign(ctx, keys[i%len(keys)]); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// zeros is an io.ReaderAt that returns only zero bytes, so that a large body takes no memory.
type zeros struct{}

var zeroBlock [mebibyte]byte

func (zeros) ReadAt(p []byte, _ int64) (n int, _ error) {
	for n < len(p) {
		n += copy(p[n:], zeroBlock[:])
	}
	return n, nil
}

// uploadReaderAt uploads n bytes as one object. Their length is known, and they can be read at any
// offset.
func uploadReaderAt(ctx context.Context, c client, n int) error {
	return c.upload(ctx, uploaded, io.NewSectionReader(zeros{}, 0, int64(n)), int64(n))
}

// uploadStream uploads n bytes as one object, from a reader that does not tell its length.
func uploadStream(ctx context.Context, c client, n int) error {
	return c.upload(ctx, uploaded, struct{ io.Reader }{io.NewSectionReader(zeros{}, 0, int64(n))}, -1)
}

// uploadAgain uploads a stream of 64 MiB and unknown length 10*n times, one after the other.
func uploadAgain(ctx context.Context, c client, n int) error {
	for range 10 * n {
		if err := uploadStream(ctx, c, 64*mebibyte); err != nil {
			return err
		}
	}
	return nil
}

// uploadStreams uploads n bytes in total, as several streams at the same time.
func uploadStreams(ctx context.Context, c client, n int) error {
	return together(streams, func(int) error { return uploadStream(ctx, c, n/streams) })
}

// uploadMany uploads n objects of 1 KiB and unknown length at the same time. Each body ends only
// after all bodies were read, so that all uploads need memory at the same time.
func uploadMany(ctx context.Context, c client, n int) error {
	var reading sync.WaitGroup
	reading.Add(n)
	return together(n, func(i int) error {
		return c.upload(ctx, key(i), &barrierBody{remaining: kilobyte, all: &reading}, -1)
	})
}

// A barrierBody is the body of one of several uploads. It contains zero bytes. It ends only when all
// bodies of the uploads have been read up to their ends.
type barrierBody struct {
	remaining int             // number of bytes that have not been read yet
	all       *sync.WaitGroup // counts the bodies that have not been read yet
	met       bool            // whether all has counted this body
}

// Read reads the remaining bytes of the body. At the end, it waits for the other bodies.
func (b *barrierBody) Read(p []byte) (int, error) {
	if b.remaining > 0 {
		n := min(b.remaining, len(p))
		b.remaining -= n
		return n, nil
	}
	if !b.met {
		b.met = true
		b.all.Done()
		b.all.Wait()
	}
	return 0, io.EOF
}

func together(n int, do func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			errs[i] = do(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// download downloads an object of n bytes and discards the content. If the client has the operation
// read, it uses that; otherwise it opens the object and reads it in order.
func download(ctx context.Context, c client, n int) error {
	if c.read != nil {
		got, err := c.read(ctx, sized(n, 0), int64(n))
		return errors.Join(err, checkCount(int(got), n))
	}
	r, err := c.open(ctx, sized(n, 0))
	got, err := copyAndClose(struct{ io.Writer }{io.Discard}, r, err)
	return errors.Join(err, checkCount(int(got), n))
}

// downloadFile downloads n bytes to a new file.
func downloadFile(ctx context.Context, c client, n int) error {
	dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := filepath.Join(dir, "file")
	if err := c.file(ctx, sized(n, 0), name); err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return checkCount(int(info.Size()), n)
}

// writeFile creates a file and calls download, which writes to it at any offset.
func writeFile(name string, download func(w io.WriterAt) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(download(file), file.Close())
}

// asStream returns a reader of data whose type does not reveal the length of data.
func asStream(data []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(data)} }

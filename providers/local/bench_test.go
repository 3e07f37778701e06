package local

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkPut compares Put with the least that is needed: a temporary file and a rename, without attributes.
func BenchmarkPut(b *testing.B) {
	body := strings.Repeat("x", 1024)
	b.Run("local", func(b *testing.B) {
		bucket := newTestBucket(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			r := request("dir/"+strconv.Itoa(i%1000), body)
			r.ContentType = "text/plain; charset=utf-8"
			if _, err := bucket.driver.Put(context.Background(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("temporary file and rename", func(b *testing.B) {
		root := b.TempDir()
		require.NoError(b, os.MkdirAll(filepath.Join(root, "dir"), 0o777))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f, err := os.CreateTemp(root, "tmp")
			require.NoError(b, err)
			_, err = io.WriteString(f, body)
			require.NoError(b, err)
			require.NoError(b, f.Close())
			require.NoError(b, os.Rename(f.Name(), filepath.Join(root, "dir", strconv.Itoa(i%1000))))
		}
	})
}

// BenchmarkGet compares Get with the minimum: open, stat and read.
func BenchmarkGet(b *testing.B) {
	bucket := newTestBucket(b)
	bucket.put("dir/k", strings.Repeat("x", 1024))
	buffer := make([]byte, 2048)

	b.Run("local", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, body, err := bucket.driver.Get(context.Background(),
				&driver.GetRequest{Key: "dir/k", Length: -1})
			if err != nil {
				b.Fatal(err)
			}
			if n, _ := io.ReadFull(body, buffer); n != 1024 {
				b.Fatal(n)
			}
			_ = body.Close()
		}
	})

	b.Run("open, stat and read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := os.Open(filepath.Join(bucket.root, "dir", "k"))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.Stat(); err != nil {
				b.Fatal(err)
			}
			if n, _ := io.ReadFull(f, buffer); n != 1024 {
				b.Fatal(n)
			}
			_ = f.Close()
		}
	})
}

// BenchmarkList compares listing all pages with a walk that stats each file.
func BenchmarkList(b *testing.B) {
	for _, shape := range []struct {
		name        string
		dirs, files int
	}{
		{name: "one directory", dirs: 1, files: 100_000},
		{name: "1,000 directories", dirs: 1000, files: 100},
	} {
		root := b.TempDir()
		for d := range shape.dirs {
			dir := filepath.Join(root, fmt.Sprintf("d%04d", d))
			require.NoError(b, os.Mkdir(dir, 0o777))
			for f := range shape.files {
				require.NoError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%06d", f)), nil, 0o666))
			}
			settle(b, dir)
		}
		settle(b, root)

		b.Run(shape.name+"/local", func(b *testing.B) {
			bucket := reopenTestBucket(b, root)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				r := driver.ListRequest{Limit: bucketstore.MaxPage}
				for {
					page, err := bucket.driver.List(context.Background(), &r)
					if err != nil {
						b.Fatal(err)
					}
					n += len(page.Entries)
					r.Token = page.Token
					if r.Token == "" {
						break
					}
				}

				require.Equal(b, 100_000, n)
				bucket.forget()
			}
		})

		b.Run(shape.name+"/walk and stat", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				require.NoError(b, filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
					if err == nil && !e.IsDir() {
						n++
						_, err = e.Info()
					}
					return err
				}))
				require.Equal(b, 100_000, n)
			}
		})
	}
}

// forget empties the cache, so that the next listing reads the directories.
func (bucket *testBucket) forget() {
	bucket.driver.live.Reader.Cache.Forget()
}

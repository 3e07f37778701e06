package memstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// BenchmarkPut stores objects of 1 KiB and 1 MiB, with a known size and as streams.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		content := bytes.Repeat([]byte("x"), size)
		for name, declared := range map[string]int64{"known": int64(size), "stream": -1} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				d := newDriver()
				body := bytes.NewReader(content)
				sum := uint32(1)
				r := driver.PutRequest{
					Key:    "k",
					Body:   body,
					Size:   declared,
					CRC32C: storage.CRC32C{Sum: sum, Known: true},
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					body.Reset(content)
					if _, err := d.Put(context.Background(), &r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkMemcpy is the minimum for a Put of 1 MiB.
func BenchmarkMemcpy(b *testing.B) {
	content := bytes.Repeat([]byte("x"), 1<<20)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		sink = append([]byte(nil), content...)
	}
}

var sink []byte

// BenchmarkGet reads an object of 1 KiB.
func BenchmarkGet(b *testing.B) {
	d := newDriver()
	put(b, d, "k", string(bytes.Repeat([]byte("x"), 1<<10)))
	r := driver.GetRequest{Key: "k", Length: -1}
	b.ReportAllocs()
	for b.Loop() {
		_, body, err := d.Get(context.Background(), &r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := body.(io.WriterTo).WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHead reads attributes.
func BenchmarkHead(b *testing.B) {
	d := newDriver()
	put(b, d, "k", "content")
	r := driver.GetRequest{Key: "k", Length: -1}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Head(context.Background(), &r); err != nil {
			b.Fatal(err)
		}
	}
}

// newFullDriver returns a bucket with n keys in one folder.
func newFullDriver(b *testing.B, n int) driver.Driver {
	d := newDriver()
	for i := range n {
		put(b, d, fmt.Sprintf("folder/%07d", i), "")
	}
	return d
}

// BenchmarkListAll lists all keys, 1,000 in a page.
func BenchmarkListAll(b *testing.B) {
	const n = 100_000
	d := newFullDriver(b, n)
	b.ReportAllocs()
	for b.Loop() {
		r := driver.ListRequest{Limit: 1000}
		count := 0
		for hasMore := true; hasMore; hasMore = r.Token != "" {
			page, err := d.List(context.Background(), &r)
			if err != nil {
				b.Fatal(err)
			}
			count += len(page.Entries)
			r.Token = page.Token
		}
		if count != n {
			b.Fatal(count)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
}

// BenchmarkListPage lists a page in the middle, and a page with one folder of all keys. Its
// cost must not depend on the number of keys.
func BenchmarkListPage(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		d := newFullDriver(b, n)
		requests := map[string]driver.ListRequest{
			"middle": {Limit: 100, StartAfter: fmt.Sprintf("folder/%07d", n/2)},
			"folder": {Limit: 100, Delimiter: "/"},
		}
		for name, req := range requests {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := d.List(context.Background(), &req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkMixed writes, reads, lists and stats in 16 goroutines.
func BenchmarkMixed(b *testing.B) {
	const keys = 10_000
	const prime = 7919 // so that keys in a row are far from each other
	d := newFullDriver(b, keys)
	content := bytes.Repeat([]byte("x"), 1<<10)
	var turn atomic.Int64
	b.SetParallelism(8) // times two cores
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			i := turn.Add(1)
			key := fmt.Sprintf("folder/%07d", i*prime%keys)
			var err error
			// One call in eight writes, one lists, two read attributes, and four read objects.
			switch i % 8 {
			case 0:
				_, err = d.Put(context.Background(),
					&driver.PutRequest{Key: key, Body: bytes.NewReader(content), Size: int64(len(content))})
			case 1:
				_, err = d.List(context.Background(), &driver.ListRequest{StartAfter: key, Limit: 10})
			case 2, 3:
				_, err = d.Head(context.Background(), &driver.GetRequest{Key: key, Length: -1})
			default:
				_, _, err = d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
}

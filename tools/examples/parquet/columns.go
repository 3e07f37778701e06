package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/omnibucket/storage"
)

// A result holds the sums of the columns, and what an ideal reader would have requested.
type result struct {
	sums  map[string]float64
	ideal cost
}

type cost struct{ requests, bytes int64 }

// A chunk is the part of a column that belongs to one group of rows. In the file, its pages follow
// one another.
type chunk struct {
	column string
	pages  *parquet.FileColumnChunk
	storage.Range
}

// readColumns computes the sums of columns of numbers. It finds their chunks in the footer of the
// file, and then reads all chunks with one call.
func readColumns(ctx context.Context, b interface {
	storage.Downloader
	storage.AttrsReader
}, key string, columns ...string) (*result, error) {
	r, err := storage.NewReaderAt(ctx, b, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	file, err := parquet.OpenFile(r, r.Size(), parquet.SkipMagicBytes(true), parquet.SkipPageIndex(true),
		parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	footer, err := footerSize(r)
	if err != nil {
		return nil, err
	}
	chunks, err := findChunks(file, columns)
	if err != nil {
		return nil, err
	}
	ranges := make([]storage.Range, len(chunks))
	for i, c := range chunks {
		ranges[i] = c.Range
	}
	data, _, err := storage.ReadRanges(ctx, b, key, ranges, storage.IfRevision(r.Attrs().Revision))
	if err != nil {
		return nil, err
	}
	got := &result{sums: map[string]float64{}, ideal: idealCost(footer, ranges)}
	for i, c := range chunks {
		sum, err := sumPages(c.pages.PagesFrom(fetched{data[i], c.Offset}))
		if err != nil {
			return nil, err
		}
		got.sums[c.column] += sum
	}
	return got, nil
}

// findChunks returns the chunks of the columns, in the order in which they are in the file.
func findChunks(file *parquet.File, columns []string) (chunks []chunk, _ error) {
	for number, group := range file.RowGroups() {
		for _, name := range columns {
			leaf, ok := file.Schema().Lookup(name)
			if !ok {
				return nil, fmt.Errorf("the table has no column %q", name)
			}
			pages, ok := group.ColumnChunks()[leaf.ColumnIndex].(*parquet.FileColumnChunk)
			if !ok {
				return nil, fmt.Errorf("column %q is not in the file", name)
			}

			// If a chunk has a dictionary, it begins with the page of the dictionary.
			meta := &file.Metadata().RowGroups[number].Columns[leaf.ColumnIndex].MetaData
			offset := meta.DataPageOffset
			if meta.DictionaryPageOffset != 0 {
				offset = meta.DictionaryPageOffset
			}
			chunks = append(chunks, chunk{name, pages, storage.Range{Offset: offset, Length: meta.TotalCompressedSize}})
		}
	}
	return chunks, nil
}

// footerSize returns the length of the footer in bytes, including its length field and the magic
// bytes. It makes no request, because r already has the footer in memory.
func footerSize(r *storage.ReaderAt) (int64, error) {
	var length [4]byte
	if _, err := r.ReadAt(length[:], r.Size()-8); err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint32(length[:])) + 8, nil
}

// idealCost returns the requests and bytes of an ideal reader. It knows in advance where the footer
// begins, reads only the footer and the chunks, and reads adjacent chunks with one request.
func idealCost(footer int64, chunks []storage.Range) cost {
	ideal := cost{requests: 1, bytes: footer}
	end := int64(-1)
	for _, c := range chunks {
		if c.Offset != end {
			ideal.requests++
		}
		ideal.bytes += c.Length
		end = c.Offset + c.Length
	}
	return ideal
}

// The type fetched is a part of the file in memory. offset is the position in the file at
// which the part begins.
type fetched struct {
	data   []byte
	offset int64
}

func (f fetched) ReadAt(p []byte, off int64) (int, error) {
	if off < f.offset || off >= f.offset+int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off-f.offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// sumPages returns the sum of the numbers in the pages, and closes the pages.
func sumPages(pages parquet.Pages) (sum float64, err error) {
	defer func() {
		err = errors.Join(err, pages.Close())
	}()
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return 0, err
		}

		// ReadValues may return the last values together with io.EOF.
		for reader := page.Values(); ; {
			n, err := reader.ReadValues(values)
			if err != nil && err != io.EOF {
				return 0, err
			}
			for _, v := range values[:n] {
				sum += v.Double()
			}
			if err == io.EOF {
				break
			}
		}
		parquet.Release(page)
	}
}

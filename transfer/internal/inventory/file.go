package inventory

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// fileRows yields the rows of a file of the inventory. It first downloads and verifies the whole file,
// so that no row of a damaged file is used. A row is valid until the next one is yielded.
func (i *Inventory) fileRows(ctx context.Context, file tableFile) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		f, size, err := i.fetch(ctx, file)
		if err != nil {
			yield(nil, err)
			return
		}
		// The file was only read, so an error does not matter.
		defer func() { _ = localfile.CloseTemp(f) }()

		names := columnNames[i.manifest.provider]
		rows := i.csvRows(ctx, f, file.key)
		if i.manifest.format == "PARQUET" {
			rows = i.parquet(ctx, f, size, names[:])
		}

		for row, err := range rows {
			if err != nil {
				yield(nil, tableError(file.key, err))
				return
			}
			if len(row) != numColumns {
				yield(nil, tableError(file.key, errors.New("TableReader must yield a value for each column")))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// tableError returns the error of a file of the inventory whose rows cannot be read.
func tableError(key string, err error) error {
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		return storageErr
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return joberror.OfContext(err)
	}
	return invalid(key, "file must be a complete table: "+err.Error())
}

// fetch downloads a file of the inventory to a temporary file, and verifies it. It returns the
// temporary file, at its beginning, and its size.
func (i *Inventory) fetch(ctx context.Context, file tableFile) (*os.File, int64, error) {
	r, err := i.reports.Download(ctx, file.key)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close() // always nil

	f, err := localfile.CreateTemp("omnibucket-inventory-*")
	if err != nil {
		return nil, 0, joberror.OfTempFile("OpenInventory", file.key, err)
	}
	size, err := file.copyTo(f, r)
	if err != nil {
		// The file is not used, so another error does not matter.
		_ = localfile.CloseTemp(f)
		return nil, 0, err
	}
	return f, size, nil
}

// copyTo copies src, the object of the file, to dst, verifies it, and seeks to the beginning of dst. It
// returns the number of bytes.
func (f tableFile) copyTo(dst *os.File, src *storage.Reader) (int64, error) {
	limit := int64(math.MaxInt64)
	if f.size >= 0 {
		// One byte more shows that the file is too large, before it fills the disk.
		limit = f.size + 1
	}

	sum := md5.New()
	size, err := io.Copy(io.MultiWriter(dst, sum), io.LimitReader(src, limit))
	if err != nil {
		return 0, joberror.OfFile("OpenInventory", f.key, err)
	}

	if err := f.check(size, sum.Sum(nil), src.Attrs().Size); err != nil {
		return 0, err
	}
	if _, err := dst.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return size, nil
}

// check fails if a downloaded file is not the one of the manifest. size is the number of bytes that
// were read, and fullSize the size of the object. It does not check a size below 0 or a checksum "" of the
// manifest, which are unknown.
func (f tableFile) check(size int64, sum []byte, fullSize int64) error {
	if f.size >= 0 && size != f.size {
		return damaged(f.key, fmt.Errorf("the file has %d bytes, and %d by the manifest", fullSize, f.size))
	}
	if f.md5 != "" && !equalMD5(sum, f.md5) {
		return damaged(f.key, errors.New("the file does not have the checksum of the manifest"))
	}
	return nil
}

// damaged returns ChecksumMismatch for a file of an inventory. err says what differs.
func damaged(key string, err error) error {
	return &storage.Error{Code: storage.ChecksumMismatch, Op: "OpenInventory", Key: key, Err: err}
}

// maxRow is the largest size in bytes of a row of CSV. An encoded key has at most 3 KiB, metadata
// at most 64 KiB, and all other columns are short.
const maxRow = 256 << 10

// quotedCR replaces a carriage return between quotation marks, because encoding/csv would take it
// for a part of the end of a line. No key has this byte, because it never occurs in UTF-8.
const quotedCR = "\xff"

// A csvSource is the input of a CSV reader. It fails if a row is longer than maxRow. Without that
// limit, a single quotation mark could make the rest of a file one row, which could fill the
// memory. A csvSource replaces each carriage return between quotation marks by quotedCR.
type csvSource struct {
	src    io.Reader
	read   int // bytes read since the beginning of the row
	quoted bool
}

// Read implements [io.Reader] for the CSV reader. It replaces each carriage return between quotation
// marks, and fails if the row that began last is longer than maxRow.
func (s *csvSource) Read(p []byte) (int, error) {
	if s.read > maxRow {
		return 0, errors.New("a row has more than 256 KiB")
	}

	n, err := s.src.Read(p)
	s.read += n
	for i, b := range p[:n] {
		if b == '"' {
			s.quoted = !s.quoted
		}
		// The CSV reader would take a carriage return for a part of the end of a line.
		if b == '\r' && s.quoted {
			p[i] = quotedCR[0]
		}
	}
	return n, err
}

// csvRows yields the rows of a CSV file as rows of an inventory, whose cells are always in the same
// order.
func (i *Inventory) csvRows(ctx context.Context, f io.Reader, key string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		table, err := i.openCSV(f, key)
		if err != nil {
			yield(nil, err)
			return
		}
		row := make([]string, numColumns) // valid until the next one is yielded
		for {
			err := table.readInto(row)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// A csvTable reads the rows of a CSV file, whose columns are in any order.
type csvTable struct {
	source  *csvSource
	rows    *csv.Reader
	indexes []int // for each column of an inventory, its index in a row of the file, or -1
}

// openCSV returns the table of a CSV file, which may be compressed. It reads and checks the names of the
// columns.
func (i *Inventory) openCSV(f io.Reader, key string) (*csvTable, error) {
	r, err := decompress(f)
	if err != nil {
		return nil, err
	}
	source := &csvSource{src: r}
	rows := i.newCSVReader(source)

	columns := i.manifest.columns
	if i.manifest.header {
		header, err := rows.Read()
		if err != nil {
			return nil, err
		}
		columns = slices.Clone(header)
	}
	if err := i.manifest.checkColumns(columns); err != nil {
		return nil, invalid(key, err.Error())
	}
	return &csvTable{source: source, rows: rows, indexes: i.columnIndexes(columns)}, nil
}

// readInto reads the next row of the file into row. The cell of a column that the file lacks is empty.
func (t *csvTable) readInto(row []string) error {
	// The limit of csvSource is for one row.
	t.source.read = 0
	cells, err := t.rows.Read()
	if err != nil {
		return err
	}
	for column, index := range t.indexes {
		row[column] = ""
		if index >= 0 {
			row[column] = strings.ReplaceAll(cells[index], quotedCR, "\r")
		}
	}
	return nil
}

// newCSVReader returns a reader of the rows of a CSV file, each of which is valid until the next one is
// read.
func (i *Inventory) newCSVReader(src io.Reader) *csv.Reader {
	r := csv.NewReader(src)
	r.Comma = i.manifest.delimiter
	r.ReuseRecord = true
	// Without columns in the manifest, each row must have as many as the first one.
	r.FieldsPerRecord = len(i.manifest.columns)
	return r
}

// columnIndexes returns, for each column that a row may have, its index in a row of the file, or -1 if
// the file does not have the column.
func (i *Inventory) columnIndexes(columns []string) []int {
	indexes := make([]int, numColumns)
	for column, name := range columnNames[i.manifest.provider] {
		indexes[column] = -1
		if name != "" {
			indexes[column] = columnIndex(columns, name)
		}
	}
	return indexes
}

// decompress returns the content of a file, which may be compressed with gzip.
func decompress(f io.Reader) (io.Reader, error) {
	const bufferSize = 1 << 20
	src := bufio.NewReaderSize(f, bufferSize)

	// A gzip file begins with the bytes 1F 8B. https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
	head, err := src.Peek(2)
	if err == nil && head[0] == 0x1f && head[1] == 0x8b {
		return gzip.NewReader(src)
	}
	return src, nil
}

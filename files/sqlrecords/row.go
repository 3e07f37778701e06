package sqlrecords

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
)

// bind numbers the question marks of a statement if the dialect requires it. No
// statement has one in a literal.
func (d Dialect) bind(statement string) string {
	if d != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for number := 1; ; number++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(number))
		statement = after
	}
}

// sqliteTime has whole milliseconds and a fixed length, so that texts sort by time.
// SQLite's own functions understand it.
const sqliteTime = "2006-01-02T15:04:05.000Z"

func (d Dialect) time(t time.Time) any {
	if d == SQLite {
		return t.UTC().Format(sqliteTime)
	}
	return t.UTC()
}

// bound rounds t up to whole milliseconds, which stored times have.
func (d Dialect) bound(t time.Time) any {
	if whole := t.Truncate(time.Millisecond); whole.Before(t) {
		t = whole.Add(time.Millisecond)
	}
	return d.time(t)
}

// values returns the values of the columns, in order.
func (d Dialect) values(r *files.Record) []any {
	var crc32c any
	if r.CRC32C.Known {
		crc32c = int64(r.CRC32C.Sum)
	}
	return []any{
		r.ID, r.FileExt, r.MIMEType, r.OriginalFileName, r.OriginalLength,
		r.UploadedBy, r.Purpose, d.time(r.Created), crc32c,
	}
}

// A row is a *sql.Row or *sql.Rows.
type row interface{ Scan(to ...any) error }

func scan(from row) (*files.Record, error) {
	var r files.Record
	var crc32c sql.NullInt64
	err := from.Scan(
		&r.ID, &r.FileExt, &r.MIMEType, &r.OriginalFileName, &r.OriginalLength,
		&r.UploadedBy, &r.Purpose, (*storedTime)(&r.Created), &crc32c,
	)
	if err != nil {
		return nil, err
	}
	if crc32c.Valid {
		r.CRC32C = storage.KnownCRC32C(uint32(crc32c.Int64))
	}
	return &r, nil
}

// storedTime scans the result of time.
type storedTime time.Time

var _ sql.Scanner = (*storedTime)(nil)

func (t *storedTime) Scan(value any) error {
	switch v := value.(type) {
	case time.Time:
		*t = storedTime(v.UTC())
		return nil
	case string:
		parsed, err := time.Parse(sqliteTime, v)
		*t = storedTime(parsed)
		return err
	case []byte:
		return t.Scan(string(v))
	}
	return fmt.Errorf("a time is stored as %T", value)
}

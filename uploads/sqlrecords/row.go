package sqlrecords

import (
	"database/sql"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// bind replaces each question mark of a statement by a numbered parameter ($1, $2 and so on), if the dialect
// needs this.
func (d Dialect) bind(statement string) string {
	if d != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for number := 1; ; number++ {
		head, tail, hasMark := strings.Cut(statement, "?")
		b.WriteString(head)
		if !hasMark {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(number))
		statement = tail
	}
}

// sqliteTime is the format of times in SQLite. It has whole milliseconds and a fixed length, so
// that texts sort by time. SQLite's own functions can parse it.
const sqliteTime = "2006-01-02T15:04:05.000Z"

// time converts a time to the value that the dialect stores: a text in SQLite, a time in PostgreSQL.
func (d Dialect) time(t time.Time) any {
	if d == SQLite {
		return t.UTC().Format(sqliteTime)
	}
	return t.UTC()
}

// values returns the values of the columns of a record, in the order of the constant columns.
func (d Dialect) values(f *uploads.File) []any {
	var crc32c, expires any // nil means NULL
	if f.CRC32C.Known {
		crc32c = int64(f.CRC32C.Sum)
	}
	if !f.Expires.IsZero() {
		expires = d.time(f.Expires)
	}
	return []any{
		f.ID, f.Key, path.Ext(f.Key), f.ContentType, f.Name, f.Size,
		f.User.ID, f.Purpose, d.time(timeid.Time(f.ID)), crc32c, expires,
	}
}

// A row is a *sql.Row or *sql.Rows.
type row interface{ Scan(to ...any) error }

// scan reads a record from a row that has the columns in the constant columns.
func scan(src row) (*uploads.File, error) {
	var f uploads.File
	var extension string   // extension of the key, for people who read the table
	var created storedTime // the same time as in the ID
	var crc32c sql.NullInt64
	err := src.Scan(
		&f.ID, &f.Key, &extension, &f.ContentType, &f.Name, &f.Size,
		&f.User.ID, &f.Purpose, &created, &crc32c, (*storedTime)(&f.Expires),
	)
	if err != nil {
		return nil, err
	}
	if crc32c.Valid {
		f.CRC32C = storage.CRC32C{Sum: uint32(crc32c.Int64), Known: true}
	}
	return &f, nil
}

// storedTime scans a time that [Dialect.time] has stored, in either dialect.
type storedTime time.Time

var _ sql.Scanner = (*storedTime)(nil)

// Scan implements [sql.Scanner]. It accepts NULL, which leaves the zero time.
func (t *storedTime) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		return nil
	case time.Time:
		*t = storedTime(v.UTC())
		return nil
	case string:
		parsed, err := time.Parse(sqliteTime, v)
		if err != nil {
			return err
		}
		*t = storedTime(parsed)
		return nil
	case []byte:
		return t.Scan(string(v))
	}
	return fmt.Errorf("a time is stored as %T", value)
}

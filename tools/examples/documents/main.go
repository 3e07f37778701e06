// Documents keeps files in a bucket, and a row for each file in SQLite. The program may be killed
// at any time. After one sweep, each row has its file and each file has its row.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/local" // file:///
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

const (
	address = "file:/tmp/documents.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)"
	schema  = `CREATE TABLE IF NOT EXISTS documents (
	title   TEXT NOT NULL,
	file_id TEXT NOT NULL UNIQUE REFERENCES omnibucket_files (id)
)`
)

type archive struct {
	db    *sql.DB
	files *uploads.Service
}

func main() {
	ctx := context.Background()
	bucket, err := storage.Open(ctx, "file:///tmp/documents?create=true")
	if err != nil {
		log.Fatal(err)
	}
	a, err := open(ctx, bucket, address)
	if err != nil {
		log.Fatal(err)
	}
	defer a.db.Close()
	if err := a.run(ctx, uploads.User{ID: "eva"}); err != nil {
		log.Fatal(err)
	}
}

func open(ctx context.Context, bucket storage.Bucket, address string) (*archive, error) {
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, err
	}
	records, err := sqlrecords.New(ctx, db, sqlrecords.SQLite) // creates omnibucket_files
	if err != nil {
		return nil, err
	}
	if _, err = db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	files, err := uploads.New(bucket, uploads.Config{
		Rules:    rules.Any(1 << 30),
		Records:  records,
		TTL:      12 * time.Hour,
		Lifetime: 24 * time.Hour, // a file without a row is kept for a day
	})
	return &archive{db, files}, err
}

// in(ctx, do) begins a transaction, and calls the function do. If do returns nil, it commits the
// transaction.
func (a *archive) in(ctx context.Context, do func(*sql.Tx, *sqlrecords.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // has no effect after Commit
	if err := do(tx, sqlrecords.In(sqlrecords.SQLite, tx.QueryRowContext)); err != nil {
		return err
	}
	return tx.Commit()
}

// add adds a row for an uploaded file. A browser may send the ID of the file, because Keep checks
// that the file belongs to the user.
func (a *archive) add(ctx context.Context, title, fileID string, user uploads.User) error {
	return a.in(ctx, func(tx *sql.Tx, files *sqlrecords.Tx) error {
		if _, err := files.Keep(ctx, fileID, user); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO documents (title, file_id) VALUES (?, ?)", title, fileID)
		return err
	})
}

// remove removes the row of a document in a transaction, and then its file.
func (a *archive) remove(ctx context.Context, fileID string) error {
	var file *uploads.File
	err := a.in(ctx, func(tx *sql.Tx, files *sqlrecords.Tx) (err error) {
		if _, err = tx.ExecContext(ctx, "DELETE FROM documents WHERE file_id = ?", fileID); err == nil {
			file, err = files.Expire(ctx, fileID)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.files.Remove(ctx, file)
}

func (a *archive) run(ctx context.Context, user uploads.User) error {
	letter := uploads.Upload{Body: strings.NewReader("Dear Adam"), Name: "letter.txt", User: user}
	file, err := a.files.Store(ctx, letter)
	if err != nil {
		return err
	}
	if err := a.add(ctx, "A letter", file.ID, user); err != nil {
		return err
	}
	fmt.Println("added", file.Name)
	if err := a.remove(ctx, file.ID); err != nil {
		return err
	}
	report, err := a.files.Sweep(ctx) // a real program sweeps every hour
	if err != nil {
		return err
	}
	fmt.Println("removed;", report.Expired, "left for the sweep")
	return nil
}

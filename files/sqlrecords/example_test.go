package sqlrecords_test

import (
	"context"
	"database/sql"
	"log"
	"strings"

	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/sqlrecords"
	"github.com/omnibucket/storage/memstore"
)

// The program chooses the driver of its database: import _ "modernc.org/sqlite".
func Example() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:files.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		log.Fatal(err)
	}
	records, err := sqlrecords.New(ctx, db, sqlrecords.SQLite)
	if err != nil {
		log.Fatal(err)
	}
	store, err := files.New(memstore.New(), records, files.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Upload(ctx, strings.NewReader("content"), files.UploadOptions{OriginalFileName: "a.txt", UploadedBy: "42"})
	if err != nil {
		log.Fatal(err)
	}
}

package sqlrecords_test

import (
	"context"
	"database/sql"
	"log"
	"strings"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
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
	service, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(1 << 20), Records: records})
	if err != nil {
		log.Fatal(err)
	}
	_, err = service.Store(ctx, uploads.Upload{Body: strings.NewReader("content"), Name: "a.txt", User: uploads.User{ID: "42"}})
	if err != nil {
		log.Fatal(err)
	}
}

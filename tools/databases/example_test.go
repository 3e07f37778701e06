package databases_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

func Example_recordsInSQLite() {
	dir, err := os.MkdirTemp("", "files-")
	if err != nil {
		panic(err)
	}
	defer func() {
		_ = os.RemoveAll(dir)
	}()
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "files.db"))+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	records, err := sqlrecords.New(ctx, db, sqlrecords.SQLite)
	if err != nil {
		panic(err)
	}
	service, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(1 << 20), Records: records})
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"a.txt", "b.txt", "c.pdf"} {
		// A Target gives the file the extension of its name.
		_, err := service.Store(ctx, uploads.Upload{Body: strings.NewReader("content"), Name: name, User: uploads.User{ID: "42"}, Target: &uploads.Target{}})
		if err != nil {
			panic(err)
		}
	}
	var bytes int
	row := db.QueryRowContext(ctx, "SELECT SUM(original_length) FROM omnibucket_files WHERE uploaded_by = '42' AND file_ext = '.txt'")
	if err := row.Scan(&bytes); err != nil {
		panic(err)
	}
	fmt.Println(bytes, "bytes of text")
	// Output: 14 bytes of text
}

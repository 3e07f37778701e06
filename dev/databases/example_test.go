package databases_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/sqlrecords"
	"github.com/omnibucket/storage/memstore"
)

func Example_recordsInSQLite() {
	dir, err := os.MkdirTemp("", "files-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "files.db"))+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	records, err := sqlrecords.New(ctx, db, sqlrecords.SQLite)
	if err != nil {
		panic(err)
	}
	store, err := files.New(memstore.New(), records, files.Config{})
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"a.txt", "b.txt", "c.pdf"} {
		_, err := store.Upload(ctx, strings.NewReader("content"), files.UploadOptions{OriginalFileName: name, UploadedBy: "42"})
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

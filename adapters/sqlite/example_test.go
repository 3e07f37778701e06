package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/sqlite"
	"github.com/omnibucket/storage/memstore"
)

func ExampleOpen() {
	ctx := context.Background()
	bucket := memstore.New() // production: storage.Open(ctx, "s3://…")
	if err := publish(ctx, bucket, "catalogs/parts.db"); err != nil {
		panic(err)
	}
	db, err := sqlite.Open(ctx, bucket, "catalogs/parts.db")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	var name string
	err = db.QueryRowContext(ctx, "SELECT name FROM parts WHERE number = ?", 2).Scan(&name)
	fmt.Println(name, err)
	_, err = db.ExecContext(ctx, "DELETE FROM parts")
	fmt.Println(err)
	// Output:
	// nut <nil>
	// attempt to write a readonly database (8)
}

// publish makes a database on this machine and uploads it.
func publish(ctx context.Context, b storage.Uploader, key string) error {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "parts.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE parts (number INTEGER PRIMARY KEY, name TEXT); INSERT INTO parts VALUES (1, 'bolt'), (2, 'nut')")
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	_, err = storage.UploadFile(ctx, b, key, path)
	return err
}

package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

var eva, adam = uploads.User{ID: "eva"}, uploads.User{ID: "adam"}

func upload(t *testing.T, files *uploads.Service) *uploads.File {
	t.Helper()
	f, err := files.Store(t.Context(), uploads.Upload{Body: strings.NewReader("content"), Name: "a.txt", User: eva})
	require.NoError(t, err)
	return f
}

// If a document is removed, its file is removed with it. A file belongs to one document of its own user.
func TestDocumentAndItsFileAreOne(t *testing.T) {
	bucket := memstore.New()
	path := "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "documents.db"))
	a, err := open(t.Context(), bucket, strings.Replace(address, "file:/tmp/documents.db", path, 1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.db.Close()) })
	count := func(query string) (n int) {
		require.NoError(t, a.db.QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}

	// run adds a document and removes it. Neither the bucket nor the database has the file any more.
	require.NoError(t, a.run(t.Context(), eva))
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		require.Fail(t, "left", entry.Key)
	}
	require.Zero(t, count("SELECT COUNT(*) FROM omnibucket_files"))

	// Only eva can add a document for her file, and only one.
	f := upload(t, a.files)
	require.ErrorIs(t, a.add(t.Context(), "stolen", f.ID, adam), storage.ObjectNotFound)
	require.NoError(t, a.add(t.Context(), "mine", f.ID, eva))
	require.Error(t, a.add(t.Context(), "twice", f.ID, eva), "a file has one row")
	require.Equal(t, 1, count("SELECT COUNT(*) FROM documents"))

	// The file of a document does not expire.
	require.Equal(t, 1, count("SELECT COUNT(*) FROM omnibucket_files WHERE expires IS NULL"))
}

// addPgx adds a document in a transaction of pgx. It refuses the file of another user, and the file of the document
// does not expire.
func TestDocumentByPgx(t *testing.T) {
	// The tables are in a schema of their own.
	const name = "documents_example"
	server, err := sql.Open("pgx", testserver.Need(t, "OMNIBUCKET_TEST_POSTGRES"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	server.SetMaxOpenConns(1) // the schema is that of the connection
	for _, statement := range []string{
		"DROP SCHEMA IF EXISTS " + name + " CASCADE", "CREATE SCHEMA " + name, "SET search_path TO " + name,
	} {
		_, err = server.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	records, err := sqlrecords.New(t.Context(), server, sqlrecords.PostgreSQL)
	require.NoError(t, err)
	_, err = server.ExecContext(t.Context(), schema)
	require.NoError(t, err)

	// The files are in memory. Their documents are added by a connection of pgx.
	files, err := uploads.New(
		memstore.New(),
		uploads.Config{Rules: rules.Any(0), Records: records, Lifetime: 2 * uploads.DefaultTTL},
	)
	require.NoError(t, err)
	connection, err := pgx.Connect(t.Context(), testserver.Need(t, "OMNIBUCKET_TEST_POSTGRES"))
	require.NoError(t, err)
	_, err = connection.Exec(t.Context(), "SET search_path TO "+name)
	require.NoError(t, err)

	// Only eva can add a document for her file.
	f := upload(t, files)
	require.ErrorIs(t, addPgx(t.Context(), connection, "stolen", f.ID, adam), storage.ObjectNotFound)
	require.NoError(t, addPgx(t.Context(), connection, "mine", f.ID, eva))

	// The file of the document does not expire.
	var isKept bool
	require.NoError(t, server.QueryRowContext(t.Context(),
		"SELECT expires IS NULL FROM omnibucket_files JOIN documents ON id = file_id").Scan(&isKept))
	require.True(t, isKept)

	require.NoError(t, connection.Close(t.Context()))
	_, err = server.ExecContext(t.Context(), "DROP SCHEMA "+name+" CASCADE")
	require.NoError(t, err)
}

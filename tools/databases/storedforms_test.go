package databases_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// storedVersions are commits that were on main, and whose tables are in testdata.
var storedVersions = []string{withoutKeys, "f63eaf37", "3595d2a5"}

// withoutKeys is a version without the migration 3. Its files had no key and did not expire.
const withoutKeys = "758e7b28"

// If an earlier version of the package made the tables, New reads, continues and writes them. Otherwise, an update
// would lose the files of an application.
func TestStoredFormsAreContinued(t *testing.T) {
	for _, version := range storedVersions {
		t.Run(version, func(t *testing.T) {
			// Open tables that this version made. They have one file and one state of an upload.
			dump, err := os.ReadFile(filepath.Join("testdata", version+".sql"))
			require.NoError(t, err)
			db := openStored(t)
			_, err = db.ExecContext(t.Context(), string(dump))
			require.NoError(t, err)
			records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
			require.NoError(t, err)

			// The file has all of its fields. The oldest version stored no key and no time of expiry.
			files, _, err := records.List(t.Context(), uploads.Filter{User: "user", Expiring: true}, "", 10)
			require.NoError(t, err)
			require.Len(t, files, 1)
			want := storedFile(files[0].ID)
			if version == withoutKeys {
				want.Key = "files/client/" + want.ID + ".pdf"
				want.Expires = time.Time{}
			}
			require.Equal(t, want, files[0])

			// A file with a time of expiry has expired two hours later.
			expired, err := records.Expired(t.Context(), storedAt.Add(2*time.Hour), 10)
			require.NoError(t, err)
			hasExpired := len(expired) == 1
			require.Equal(t, !want.Expires.IsZero(), hasExpired)

			// The file can be removed.
			require.NoError(t, records.Remove(t.Context(), files[0]))

			// The state is read, and can be replaced only with its newest revision.
			states := records.(uploads.States)
			const stateKey = "uploads/1/state.json"
			state, revision, err := states.State(t.Context(), stateKey)
			require.NoError(t, err)
			require.JSONEq(t, `{"kind":"tus"}`, string(state))
			_, err = states.SetState(t.Context(), stateKey, []byte(`{"kind":"parts"}`), revision)
			require.NoError(t, err)
			staleRevision := revision
			_, err = states.SetState(t.Context(), stateKey, []byte(`{}`), staleRevision)
			require.Equal(t, storage.PreconditionFailed, storage.CodeOf(err))
			listed, _, err := states.ListStates(t.Context(), "", 10)
			require.NoError(t, err)
			require.Len(t, listed, 1)
		})
	}
}

// The tables of this version are those of the newest golden file. For a new migration, add a row to
// docs/maintainers/stored-forms.md and the golden file of its commit.
func TestTablesHaveGoldenFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", storedVersions[len(storedVersions)-1]+".sql"))
	require.NoError(t, err)
	require.Equal(t, schema(string(text)), schema(tablesWritten(t)))
}

// schema returns the statements of a dump without the rows.
func schema(dump string) (statements []string) {
	for statement := range strings.SplitSeq(dump, ";\n") {
		values, _, _ := strings.Cut(strings.TrimSpace(statement), " VALUES ")
		statements = append(statements, values)
	}
	return slices.Compact(statements)
}

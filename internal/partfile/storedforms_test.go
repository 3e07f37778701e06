package partfile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/partfile"
)

// storedFiles are files that a killed process of the commit 3595d2a5 left: a part of the file k with its mark, and a
// small file of a job with the mark of the job. See docs/maintainers/stored-forms.md.
var storedFiles = map[string]string{
	".omnibucket-8254c329a92850f6": `{"omnibucket temporary files":1,` +
		`"Name":".omnibucket-8254c329a92850f6","Target":"k",` +
		`"Source":"s3\n\nphotos\nkey","Revision":"1","Size":9,"CRC32C":2850421600}` + "\n" +
		`{"Offset":0,"Length":4,"CRC32C":793975265}` + "\n",
	".omnibucket-8254c329a92850f6-0": "text",
	".omnibucket-e4e01803ecf06625": `{"omnibucket temporary files":1,` +
		`"Name":".omnibucket-e4e01803ecf06625"}` + "\n",
	".omnibucket-e4e01803ecf06625-1": "",
}

// writeStored writes files with these names and texts to dir.
func writeStored(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}

// A download continues the partial file that an earlier version of the library has stored. A sweep, which cleans up
// after dead processes, removes the other files of that version.
func TestStoredFormsAreContinued(t *testing.T) {
	const stored, missing = "text", " more" // parts of the object "k"
	body := []byte(stored + missing)
	wantObject := object(body)
	dir := t.TempDir()
	writeStored(t, dir, storedFiles)

	// Find returns the partial file of "k", to which only the missing bytes are written.
	f := partfile.Find(partfile.System{}, filepath.Join(dir, "k"), wantObject.Source)
	require.NotNil(t, f)
	require.Equal(t, wantObject, f.Object())
	written := writeMissing(t, f, body)
	require.EqualValues(t, len(missing), written)
	require.NoError(t, f.Check())

	// Without the partial file, a sweep leaves nothing.
	f.Remove()
	const keepPartial = false
	sweepAll(t, dir, keepPartial)
	require.Empty(t, listNames(t, dir))
}

// Find and a sweep leave the files of a later version, whose marks have a later form.
func TestLaterFormIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	laterForm := strings.NewReplacer(`"omnibucket temporary files":1`, `"omnibucket temporary files":2`)
	laterFiles := map[string]string{}
	for name, text := range storedFiles {
		laterFiles[name] = laterForm.Replace(text)
	}
	writeStored(t, dir, laterFiles)

	path := filepath.Join(dir, "k")
	require.Nil(t, partfile.Find(partfile.System{}, path, object(nil).Source))

	const keepPartial = false
	sweepAll(t, dir, keepPartial)
	require.Len(t, listNames(t, dir), len(laterFiles))
}

// A process that is killed leaves files of the same form as storedFiles, which an earlier version has left.
//
// If a change gives them another form, give that the next number in docs/maintainers/stored-forms.md, and add its files
// to this test.
func TestStoredFormsHaveGoldenFiles(t *testing.T) {
	dir := t.TempDir()

	// A download of k is killed after its first four bytes.
	f, err := partfile.Create(partfile.System{}, filepath.Join(dir, "k"), 0o644)
	require.NoError(t, err)
	const sync = true
	require.NoError(t, f.Record(object([]byte("text more")), sync))
	_, err = f.WriteAt([]byte("text"), 0)
	require.NoError(t, err)
	f.Keep()

	// A job has one small file.
	job := partfile.NewJob(partfile.System{}, dir, sync)
	defer job.Close()
	small, _, err := job.Create(filepath.Join(dir, "small"), 0o644)
	require.NoError(t, err)
	require.NoError(t, small.Close())

	// Compare the files, but not the random numbers in their names.
	files := map[string]string{}
	for _, name := range listNames(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		files[name] = string(text)
	}
	require.Equal(t, withoutNumbers(storedFiles), withoutNumbers(files))
}

// withoutNumbers returns files with a star for each number of 16 digits in their names and texts. Most numbers are
// random. Only the file k has a number that depends on its name, so withoutNumbers adds to each name whether its number
// is that of k.
func withoutNumbers(files map[string]string) map[string]string {
	const numberOfK = ".omnibucket-8254c329a92850f6"
	number := regexp.MustCompile(`[0-9a-f]{16}`)
	all := map[string]string{}
	for name, text := range files {
		owner := "of a job"
		if strings.HasPrefix(name, numberOfK) {
			owner = "of k"
		}
		all[number.ReplaceAllString(name, "*")+" "+owner] = number.ReplaceAllString(text, "*")
	}
	return all
}

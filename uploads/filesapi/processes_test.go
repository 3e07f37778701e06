package filesapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// These tests start the test binary as further processes. The processes share only a directory.
const roleVariable = "OMNIBUCKET_FILES_TEST_ROOT" // the directory

// processes is how many processes race.
const processes = 32

// play is the main function of each process that a test starts. It reports that it is ready, and
// waits until its input ends. Then it sends the last of five parts, and prints the ID of the file.
func play() int {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	id, err := sendLast(os.Getenv(roleVariable))
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(id)
	return 0
}

// sendLast sends the last part of a file in the directory root, and returns the ID of the file.
func sendLast(root string) (id string, err error) {
	bucket, err := local.Open(root, local.Config{NoSync: true})
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, storage.Close(bucket))
	}()

	s, err := filesapi.NewStore(bucket, uploads.BucketRecords(bucket), filesapi.StoreConfig{})
	if err != nil {
		return "", err
	}

	record, err := s.UploadPart(context.Background(), strings.NewReader(text(5000, 5)), part(5).of(5))
	if uploads.CodeOf(err) == uploads.Completed {
		err = nil // it started after the file was made
	}
	if err != nil {
		return "", err
	}

	if record == nil {
		return "", errors.New("the set is complete, and there is no record")
	}
	return record.ID, nil
}

// Several processes that send the last part at the same time make one file.
func TestUploadPartRaceOfProcesses(t *testing.T) {
	root := t.TempDir()
	bucket, err := local.Open(root, local.Config{NoSync: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()

	records := uploads.BucketRecords(bucket)
	s, err := filesapi.NewStore(bucket, records, filesapi.StoreConfig{})
	require.NoError(t, err)

	// Send all parts but the last.
	for number := 1; number < 5; number++ {
		_, err := s.UploadPart(t.Context(), strings.NewReader(text(5000, uint64(number))), part(number).of(5))
		require.NoError(t, err)
	}

	// All processes are ready before the first one sends the part.
	var racers []*racer
	for range processes {
		racers = append(racers, startRacer(t, root))
	}
	for _, r := range racers {
		require.Equal(t, "ready", r.line(t))
	}
	for _, r := range racers {
		// The process sends the part when its input ends.
		require.NoError(t, r.input.Close())
	}

	// All processes report the same file.
	ids := map[string]int{}
	for _, r := range racers {
		ids[r.line(t)]++
		require.NoError(t, r.Wait())
	}
	require.Len(t, ids, 1, "the processes have different records")

	// This is the only file, and it has all parts.
	fileIDs := listIDs(t, s, uploads.Filter{}, 10)
	require.Len(t, fileIDs, 1)
	require.Contains(t, ids, fileIDs[0])
	require.Equal(t, fileOfFiveParts(), readContent(t, s, fileIDs[0]))
	requireRecordsMatchObjects(t, bucket, records)
}

// A racer is a process that sends the parts of a file.
type racer struct {
	*exec.Cmd
	input  io.Closer
	output *bufio.Scanner
}

// startRacer starts a process that runs play in the directory root.
func startRacer(t *testing.T, root string) *racer {
	t.Helper()
	r := &racer{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	r.Env = append(os.Environ(), roleVariable+"="+root)

	input, err := r.StdinPipe()
	require.NoError(t, err)
	output, err := r.StdoutPipe()
	require.NoError(t, err)
	r.input = input
	r.output = bufio.NewScanner(output)
	require.NoError(t, r.Start())
	return r
}

func (r *racer) line(t *testing.T) string {
	t.Helper()
	require.True(t, r.output.Scan(), "the process has ended")
	return r.output.Text()
}

package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/stretchr/testify/require"
)

// These tests start the test binary again with a role, to get processes that only share
// the directory.
const (
	roleVariable = "OMNIBUCKET_LOCAL_TEST_ROLE"
	rootVariable = "OMNIBUCKET_LOCAL_TEST_ROOT"
	textVariable = "OMNIBUCKET_LOCAL_TEST_TEXT"
	diskVariable = "OMNIBUCKET_LOCAL_TEST_XATTR" // "none" means a disk without them
)

// play runs a role in another process, which communicates with the test by its output. It returns the exit code.
func play(role string) int {
	if err := runRole(role, os.Getenv(rootVariable), os.Getenv(textVariable)); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// runRole opens the directory root and runs a role with text, which is a key or an upload.
func runRole(role, root, text string) error {
	if role == "deleter" {
		return deleteBucket(root)
	}
	roles := map[string]func(d *objectDriver, text string) error{
		"writer":     writeForEver,
		"reader":     readForEver,
		"creator":    createOnce,
		"overwriter": overwriteForEver,
		"adder":      addUp,
		"sender":     sendSlowly,
		"tagger":     tagForEver,
		"holder":     holdForEver,
		"crowd":      crowd,
	}
	d, err := newDriver(root, Config{NoSync: true})
	if err != nil {
		return err
	}
	d.bucket.NoXattr = os.Getenv(diskVariable) == "none"
	return roles[role](d, text)
}

// A process is another process of this test program, with a role to play. It must end when its standard input is
// closed.
type process struct {
	*exec.Cmd
	input  io.Closer
	output *bufio.Scanner
	errors bytes.Buffer
}

// start starts a process with a role in the directory root.
func start(t *testing.T, root, role, text string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), roleVariable+"="+role, rootVariable+"="+root, textVariable+"="+text)
	p.Stderr = &p.errors
	input, err := p.StdinPipe()
	require.NoError(t, err)
	output, err := p.StdoutPipe()
	require.NoError(t, err)
	p.input = input
	p.output = bufio.NewScanner(output)
	require.NoError(t, p.Start())
	return p
}

// requireLine requires that the next line of output is want.
func (p *process) requireLine(t *testing.T, want string) {
	t.Helper()
	require.True(t, p.output.Scan())
	require.Equal(t, want, p.output.Text())
}

// end makes the process finish, and returns its last line of output.
func (p *process) end(t *testing.T) string {
	t.Helper()
	require.NoError(t, p.input.Close())
	last := ""
	for p.output.Scan() {
		last = p.output.Text()
	}
	require.NoError(t, p.Wait(), "%s\n%s", last, p.errors.String())
	return last
}

// stopSignal returns a channel that is closed when the test closes the input of the process.
func stopSignal() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(done)
	}()
	return done
}

// stopped reports whether done is closed.
func stopped(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// pattern returns an object whose size, bytes, type and metadata depend on number, so that
// checkPattern detects a torn object, and attributes of another one.
func pattern(key string, number int) *driver.PutRequest {
	line := fmt.Sprintf("%08d\n", number)
	r := request(key, strings.Repeat(line, 1+number%5000))
	r.ContentType = "number/" + strconv.Itoa(number)
	r.Metadata = map[string]string{"number": strconv.Itoa(number), "padding": strings.Repeat("x", number%700)}
	return r
}

// checkPattern reads an object that has the content of a pattern. It returns an error if the bytes and the attributes
// are not of one write.
func checkPattern(d *objectDriver, key string) error {
	attrs, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	if err != nil {
		return err
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		return err
	}

	number, err := strconv.Atoi(attrs.Metadata["number"])
	if err != nil {
		return err
	}
	want := pattern(key, number)
	content, err := io.ReadAll(want.Body)
	if err != nil {
		return err
	}

	if !bytes.Equal(got, content) {
		return fmt.Errorf("object %d is torn: %d bytes of %d", number, len(got), len(content))
	}
	hasSize := attrs.Size == int64(len(content))
	hasPadding := len(attrs.Metadata["padding"]) == len(want.Metadata["padding"])
	if !hasSize || !hasPadding || attrs.ContentType != want.ContentType {
		return fmt.Errorf("object %d has the attributes of another", number)
	}
	if !attrs.CRC32C.Known || attrs.CRC32C.Sum != want.CRC32C.Sum {
		return fmt.Errorf("object %d has no checksum, or another's", number)
	}
	return nil
}

// repeat calls step with 0, 1, 2 and so on until the test stops it, and prints "ready" after the first call.
func repeat(step func(n int) error) error {
	stop := stopSignal()
	for n := 0; n == 0 || !stopped(stop); n++ {
		if err := step(n); err != nil {
			return err
		}
		if n == 0 {
			fmt.Println("ready")
		}
	}
	return nil
}

// writeForEver writes objects of pattern until it is stopped.
func writeForEver(d *objectDriver, key string) error {
	return repeat(func(int) error {
		_, err := d.Put(context.Background(), pattern(key, rand.IntN(1_000_000)))
		return err
	})
}

// readForEver checks an object of pattern until it is stopped.
func readForEver(d *objectDriver, key string) error {
	return repeat(func(int) error { return checkPattern(d, key) })
}

// createOnce prints "ready", so that all processes can begin at the same time. It then creates key, and prints
// whether it has won.
func createOnce(d *objectDriver, key string) error {
	if _, err := d.acquire(context.Background()); err != nil {
		return err
	}
	fmt.Println("ready")
	<-stopSignal()
	r := request(key, strconv.Itoa(os.Getpid()))
	r.Condition.Absent = true
	_, err := d.Put(context.Background(), r)
	switch {
	case err == nil:
		fmt.Println("won", os.Getpid())
	case errors.Is(err, storage.PreconditionFailed):
		fmt.Println("lost")
	default:
		return err
	}
	return nil
}

// addUp adds ten to a counter by compare and swap. The counter is the number of bytes of the object.
func addUp(d *objectDriver, key string) error {
	for added := 0; added < 10; {
		attrs, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
		if err != nil {
			return err
		}
		content, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil {
			return err
		}

		r := request(key, string(content)+"+")
		r.Condition.Revision = attrs.Revision
		_, err = d.Put(context.Background(), r)
		if errors.Is(err, storage.PreconditionFailed) {
			continue // another process was faster
		}
		if err != nil {
			return err
		}
		added++
	}
	return nil
}

// overwriteForEver does everything that writers do. It may be killed at any time.
func overwriteForEver(d *objectDriver, _ string) error {
	d.Describe().EnableVersions()
	ctx := context.Background()
	fmt.Println("ready")
	for number := rand.IntN(1_000_000); ; number++ {
		if _, err := d.Put(ctx, pattern("k", number)); err != nil {
			return err
		}
		// Other objects are made and removed, below the first one and beside it.
		if _, err := d.Put(ctx, pattern("dir/x", number)); err != nil {
			return err
		}
		if _, err := d.Put(ctx, pattern("k/below", number)); err != nil {
			return err
		}
		tags := map[string]string{"number": fmt.Sprint(number)}
		if err := d.SetTags(ctx, &driver.ChangeRequest{Key: "k", Tags: tags}); err != nil {
			return err
		}
		r := pattern("fresh", number)
		r.Condition.Absent = true
		if _, err := d.Put(ctx, r); err != nil && !errors.Is(err, storage.PreconditionFailed) {
			return err
		}
		for _, key := range []string{"k/below", "dir/x", "fresh"} {
			if err := d.Delete(ctx, &driver.DeleteRequest{Key: key}); err != nil {
				return err
			}
		}
	}
}

// onEachProcessDisk runs a test on those kinds of disks that other processes of the test can use, too.
func onEachProcessDisk(t *testing.T, test func(t *testing.T, tweaks ...tweak)) {
	t.Run("plain", func(t *testing.T) { test(t) })
	t.Run("without extended attributes", func(t *testing.T) {
		t.Setenv(diskVariable, "none")
		test(t, withoutXattrs)
	})
}

// If several processes write and read one object, no reader sees bytes of two writes.
func TestPutByProcessesNotTorn(t *testing.T) {
	testserver.Slow(t)
	wineCannot(t, openStays)
	onEachProcessDisk(t, func(t *testing.T, tweaks ...tweak) {
		bucket := newTestBucket(t, tweaks...)
		_, err := bucket.driver.Put(t.Context(), pattern("dir/k", 1))
		require.NoError(t, err)

		// Four processes write different content to the object, and four read it, until they are ended.
		var processes []*process
		for range 4 {
			processes = append(processes, start(t, bucket.root, "writer", "dir/k"))
			processes = append(processes, start(t, bucket.root, "reader", "dir/k"))
		}
		for _, p := range processes {
			p.requireLine(t, "ready")
		}

		duration := 3 * time.Second
		isShort := testserver.Sample(true, testing.Short())
		if isShort || bucket.driver.bucket.NoXattr {
			duration = time.Second
		}

		// This process reads beside the others. Each content must be that of one write.
		for deadline := time.Now().Add(duration); time.Now().Before(deadline); {
			require.NoError(t, checkPattern(bucket.driver, "dir/k"))
		}

		for _, p := range processes {
			p.end(t)
		}

		// A sweep removes the temporary files of the processes.
		reopenTestBucket(t, bucket.root)
		require.Empty(t, bucket.leftovers())
	})
}

// If several processes create one object, exactly one of them succeeds.
func TestPutIfAbsentByProcesses(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	bucket := newTestBucket(t)
	for round := range rounds {
		key := fmt.Sprintf("new/%d", round)
		creators := make([]*process, 16)
		for i := range creators {
			creators[i] = start(t, bucket.root, "creator", key)
		}

		// All begin once all are ready.
		for _, p := range creators {
			p.requireLine(t, "ready")
		}
		for _, p := range creators {
			require.NoError(t, p.input.Close())
		}

		var winners []string // their process ids
		for _, p := range creators {
			require.True(t, p.output.Scan())
			if pid, ok := strings.CutPrefix(p.output.Text(), "won "); ok {
				winners = append(winners, pid)
			} else {
				require.Equal(t, "lost", p.output.Text())
			}
			require.NoError(t, p.Wait())
		}
		require.Equal(t, []string{bucket.get(key)}, winners)
	}
}

// If several processes update one object by IfRevision, none of their updates is lost.
func TestPutIfRevisionByProcesses(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("counter", "")

	const updatesPerProcess = 10 // in the role "adder", which appends one byte each time
	adders := make([]*process, 4)
	for i := range adders {
		adders[i] = start(t, bucket.root, "adder", "counter")
	}
	for _, p := range adders {
		p.end(t)
	}
	require.Len(t, bucket.get("counter"), len(adders)*updatesPerProcess)
}

// If a writer is killed, the object has its old or its new content, and a later sweep removes the writer's files.
func TestPutKilled(t *testing.T) {
	onEachProcessDisk(t, func(t *testing.T, tweaks ...tweak) {
		root := t.TempDir()
		killWriters(t, root, tweaks...)
		requireWholeVersions(t, root, tweaks...)
	})
}

// killWriters starts and kills writers in the directory root, and checks the objects after each of them.
func killWriters(t *testing.T, root string, tweaks ...tweak) {
	t.Helper()
	kills := 100
	if testserver.Sample(true, testing.Short()) {
		kills = 20
	}
	first := reopenTestBucket(t, root, tweaks...)
	_, err := first.driver.Put(t.Context(), pattern("k", 0))
	require.NoError(t, err)
	require.NoError(t, first.driver.Close())

	for range kills {
		writer := start(t, root, "overwriter", "")
		writer.requireLine(t, "ready")
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond) // this test needs a random time
		require.NoError(t, writer.Process.Kill())
		require.Error(t, writer.Wait())

		bucket := reopenTestBucket(t, root, tweaks...)
		require.NoError(t, checkPattern(bucket.driver, "k"))
		for _, key := range bucket.keys() {
			require.Contains(t, []string{"k", "k/below", "dir/x", "fresh"}, key)
			require.NoError(t, checkPattern(bucket.driver, key))
		}
		require.Empty(t, bucket.leftovers())
		require.NoError(t, bucket.driver.Close())
	}
}

// requireWholeVersions requires that each version is listed once and can be read, and that no staging directory of
// a writer is left.
func requireWholeVersions(t *testing.T, root string, tweaks ...tweak) {
	t.Helper()
	bucket := reopenTestBucket(t, root, append(tweaks, withVersions)...)
	listed := map[string]bool{}
	for _, entry := range bucket.listVersions(driver.ListRequest{Limit: 1000}) {
		require.False(t, listed[entry.Key+entry.Version], "each version must be listed once")
		listed[entry.Key+entry.Version] = true
		if entry.IsDeleteMarker {
			continue
		}
		body, attrs, err := bucket.getVersion(entry.Key, entry.Version)
		require.NoError(t, err)
		require.Len(t, body, int(entry.Size))
		require.True(t, attrs.CRC32C.Known)
	}
	require.NotEmpty(t, listed)

	leftovers, err := filepath.Glob(filepath.Join(root, bucketdir.TmpPath, "*"))
	require.NoError(t, err)
	require.Empty(t, leftovers)
}

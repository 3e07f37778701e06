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

// play runs a role in another process, which communicates with the test by its output.
func play(role string) int {
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
	if role == "deleter" {
		if err := deleteBucket(os.Getenv(rootVariable)); err != nil {
			fmt.Println("error:", err)
			return 1
		}
		return 0
	}
	d, err := newDriver(os.Getenv(rootVariable), Config{NoSync: true})
	if err == nil {
		d.bucket.NoXattr = os.Getenv(diskVariable) == "none"
		err = roles[role](d, os.Getenv(textVariable))
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// A process is another process with a role. It must end when its standard input is closed.
type process struct {
	*exec.Cmd
	input  io.Closer
	output *bufio.Scanner
	errors bytes.Buffer
}

func start(t *testing.T, root, role, text string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), roleVariable+"="+role, rootVariable+"="+root, textVariable+"="+text)
	p.Stderr = &p.errors
	input, err := p.StdinPipe()
	require.NoError(t, err)
	output, err := p.StdoutPipe()
	require.NoError(t, err)
	p.input, p.output = input, bufio.NewScanner(output)
	require.NoError(t, p.Start())
	return p
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

func checkPattern(d *objectDriver, key string) error {
	a, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	if err != nil {
		return err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(a.Metadata["number"])
	if err != nil {
		return err
	}
	want := pattern(key, number)
	content, err := io.ReadAll(want.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, content) {
		return fmt.Errorf("object %d is torn: %d bytes of %d", number, len(b), len(content))
	}
	if a.Size != int64(len(content)) || a.ContentType != want.ContentType || len(a.Metadata["padding"]) != number%700 {
		return fmt.Errorf("object %d has the attributes of another", number)
	}
	if !a.CRC32C.Known || a.CRC32C.Sum != want.CRC32C.Sum {
		return fmt.Errorf("object %d has no checksum, or another's", number)
	}
	return nil
}

func writeForEver(d *objectDriver, key string) error {
	stop := stopSignal()
	n := 0
	for ; !stopped(stop); n++ {
		if _, err := d.Put(context.Background(), pattern(key, rand.IntN(1_000_000))); err != nil {
			return err
		}
	}
	fmt.Println(n)
	return nil
}

func readForEver(d *objectDriver, key string) error {
	stop := stopSignal()
	n := 0
	for ; !stopped(stop); n++ {
		if err := checkPattern(d, key); err != nil {
			return err
		}
	}
	fmt.Println(n)
	return nil
}

// createOnce prints "ready", so that all processes can begin at the same time.
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

// addUp adds ten to a counter by compare and swap.
func addUp(d *objectDriver, key string) error {
	for added := 0; added < 10; {
		a, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Length: -1})
		if err != nil {
			return err
		}
		b, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil {
			return err
		}
		r := request(key, string(b)+"+")
		r.Condition.Revision = a.Revision
		_, err = d.Put(context.Background(), r)
		if err == nil {
			added++
		} else if !errors.Is(err, storage.PreconditionFailed) {
			return err
		}
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

// If several processes write and read one object, no reader sees bytes of two writes.
func TestPutByProcessesNotTorn(t *testing.T) {
	testserver.Slow(t)
	wineCannot(t, openStays)
	for _, disk := range disks {
		if disk.name != "plain" && disk.name != "without extended attributes" {
			continue
		}
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			if bucket.driver.bucket.NoXattr {
				t.Setenv(diskVariable, "none")
			}
			_, err := bucket.driver.Put(t.Context(), pattern("dir/k", 1))
			require.NoError(t, err)
			var all []*process
			for range 4 {
				all = append(all, start(t, bucket.root, "writer", "dir/k"),
					start(t, bucket.root, "reader", "dir/k"))
			}

			last := 3 * time.Second
			if testserver.Sample(true, testing.Short()) || bucket.driver.bucket.NoXattr {
				last = time.Second
			}
			for deadline := time.Now().Add(last); time.Now().Before(deadline); {
				require.NoError(t, checkPattern(bucket.driver, "dir/k"))
			}

			for _, p := range all {
				n, err := strconv.Atoi(p.end(t))
				require.NoError(t, err)
				require.Positive(t, n)
			}

			reopenTestBucket(t, bucket.root)
			require.Empty(t, bucket.leftovers())
		})
	}
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
		all := make([]*process, 16)
		for i := range all {
			all[i] = start(t, bucket.root, "creator", key)
		}

		for _, p := range all {
			require.True(t, p.output.Scan())
			require.Equal(t, "ready", p.output.Text())
		}

		for _, p := range all {
			require.NoError(t, p.input.Close())
		}

		var winners []string
		for _, p := range all {
			require.True(t, p.output.Scan())
			if line, ok := strings.CutPrefix(p.output.Text(), "won "); ok {
				winners = append(winners, line)
			} else {
				require.Equal(t, "lost", p.output.Text())
			}
			require.NoError(t, p.Wait())
		}
		require.Equal(t, []string{bucket.get(key)}, winners)
	}
}

// No process loses an update.
func TestPutIfRevisionByProcesses(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("counter", "")
	all := make([]*process, 4)
	for i := range all {
		all[i] = start(t, bucket.root, "adder", "counter")
	}
	for _, p := range all {
		p.end(t)
	}
	require.Len(t, bucket.get("counter"), 40)
}

// If a writer is killed, the object has its old or its new content, and a later sweep removes the writer's files.
func TestPutKilled(t *testing.T) {
	t.Run("plain", testKilledWriter)
	t.Run("without extended attributes", func(t *testing.T) {
		t.Setenv(diskVariable, "none")
		testKilledWriter(t)
	})
}

func testKilledWriter(t *testing.T) {
	kills := 100
	if testserver.Sample(true, testing.Short()) {
		kills = 20
	}
	root := t.TempDir()
	like := func(d *objectDriver) {
		d.bucket.NoXattr = os.Getenv(diskVariable) == "none"
	}
	first := reopenTestBucket(t, root, like)
	_, err := first.driver.Put(t.Context(), pattern("k", 0))
	require.NoError(t, err)
	require.NoError(t, first.driver.Close())

	for range kills {
		p := start(t, root, "overwriter", "")
		require.True(t, p.output.Scan())
		require.Equal(t, "ready", p.output.Text())
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond) // this test needs a random time
		require.NoError(t, p.Process.Kill())
		require.Error(t, p.Wait())

		bucket := reopenTestBucket(t, root, like)
		require.NoError(t, checkPattern(bucket.driver, "k"))
		for _, key := range bucket.keys() {
			require.Contains(t, []string{"k", "k/below", "dir/x", "fresh"}, key)
			require.NoError(t, checkPattern(bucket.driver, key))
		}
		require.Empty(t, bucket.leftovers())
		require.NoError(t, bucket.driver.Close())
	}

	bucket := reopenTestBucket(t, root, withVersions, like)
	texts := map[string]bool{}
	for _, e := range bucket.listVersions(driver.ListRequest{Limit: 1000}) {
		require.False(t, texts[e.Key+e.Version], "each version must be listed once")
		texts[e.Key+e.Version] = true
		if e.IsDeleteMarker {
			continue
		}
		body, a, err := bucket.getVersion(e.Key, e.Version)
		require.NoError(t, err)
		require.Len(t, body, int(e.Size))
		require.True(t, a.CRC32C.Known)
	}
	require.NotEmpty(t, texts)

	leftovers, err := filepath.Glob(filepath.Join(root, bucketdir.TmpPath, "*"))
	require.NoError(t, err)
	require.Empty(t, leftovers, "staging directories of killed writers are removed, too")
}

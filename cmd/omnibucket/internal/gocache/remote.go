package gocache

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
)

// Folder is the folder of the location in which all objects of the cache are.
const Folder = "gocache-v1/"

// maxOutput is the largest output that is shared, in bytes.
const maxOutput = 4 << 30

// key returns the key of the object that has the entry and the output of an action.
func key(action id) string {
	text := hex.EncodeToString(action[:])
	return Folder + text[:2] + "/" + text
}

var (
	errSlow  = errors.New("the store does not answer in time")
	errWrong = errors.New("an object in the store is not what a build has put there")
	errLocal = errors.New("the local directory cannot be written")
)

// A remote is the part of the cache that is in a store. It never fails: without a response from the
// store, an action has no output, and the build continues.
type remote struct {
	bucket     storage.Bucket
	disk       *disk
	stats      *stats
	patience   *timeBudget
	warn       func(text string, err error) // prints a warning, each text once
	ctx        context.Context              // done if the store is left alone
	disable    context.CancelFunc
	isStopped  atomic.Bool // the store is left alone
	badActions sync.Map    // set of actions whose object was refused, so that upload replaces it
}

// A fetchResult is the result of a request for an action.
type fetchResult struct {
	entry entry
	path  string
	err   error
}

// get downloads the output of an action, and returns its entry and path. It returns false if the store has none or
// does not answer in time.
func (r *remote) get(action id) (entry, string, bool) {
	if r.ctx.Err() != nil {
		return entry{}, "", false
	}
	r.stats.remoteGets.Add(1)

	start := time.Now()
	result := r.downloadInTime(action, start)
	return result.entry, result.path, r.handleResult(action, start, result)
}

// downloadInTime downloads the output of an action, in a request that begins at start. It fails with errSlow if the
// store takes longer than the build has patience.
func (r *remote) downloadInTime(action id, start time.Time) fetchResult {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	limit := &timeLimit{start: start, patience: r.patience.remaining(), expire: func() { cancel(errSlow) }}
	limit.startTimer()
	defer limit.stop()

	// A driver may ignore that ctx ends, such as one of a directory on a server that is gone. The goroutine then
	// outlives this call.
	done := make(chan fetchResult, 1)
	go func() { done <- r.download(ctx, action, limit) }()

	var result fetchResult
	select {
	case result = <-done:
	case <-ctx.Done():
		// The download still runs, so there is no result.
	}

	// If ctx ended before the output was complete, its cause says more than the error of the download.
	isComplete := result.path != ""
	if ctx.Err() != nil && !isComplete {
		result.err = context.Cause(ctx)
	}
	return result
}

// handleResult counts the result of a request that began at start, and reports whether it is a hit. Once such requests
// have used up the time that the build may wait in vain, it ends the use of the store.
func (r *remote) handleResult(action id, start time.Time, result fetchResult) bool {
	err := result.err
	if r.ctx.Err() != nil {
		// The use of the store has ended meanwhile.
		return err == nil
	}

	// A miss is no failure, but it takes time.
	isMiss := errors.Is(err, storage.ObjectNotFound)
	if err != nil && !isMiss {
		r.stats.failures.Add(1)
	}

	isUsedUp := false // true if the store has used up the time, or cannot answer any request
	switch {
	case err == nil:
		r.stats.remoteHits.Add(1)
		r.stats.downloadedBytes.Add(result.entry.size)
		isUsedUp = r.patience.addAnswer(start, result.entry.size)
	case isMiss:
		isUsedUp = r.patience.addAnswer(start, 0)
	case errors.Is(err, errWrong) || errors.Is(err, storage.ChecksumMismatch):
		// The store has answered, so this is no failure. A few wrong objects would otherwise end its use before they
		// are replaced.
		isUsedUp = r.patience.addAnswer(start, 0)
		r.badActions.Store(action, true)
		r.warn("an output of the build cache was refused and is built again", err)
	case errors.Is(err, errLocal):
		// The store is not the reason.
		r.warn("the local directory of the build cache cannot take an output", err)
	default:
		isUsedUp = r.patience.addFailure(start) || isPermanent(err)
	}

	if isUsedUp {
		r.stop(err)
	}
	return err == nil
}

// stop ends all requests to the store, and prints a warning with the reason. The build continues
// without the store.
func (r *remote) stop(err error) {
	if r.isStopped.Swap(true) {
		return
	}
	if err == nil || errors.Is(err, storage.ObjectNotFound) {
		err = errSlow
	}
	r.warn("the build continues without the store of its cache", err)
	r.disable()
}

// isPermanent reports whether each further request would fail for the same reason.
func isPermanent(err error) bool {
	switch storage.CodeOf(err) {
	case storage.BucketNotFound, storage.Unauthenticated, storage.InvalidArgument, storage.Unsupported:
		return true
	}
	return false
}

// download copies the output of an action from the store to the local directory.
func (r *remote) download(ctx context.Context, action id, limit *timeLimit) fetchResult {
	object, err := r.bucket.Download(ctx, key(action))
	if err != nil {
		return fetchResult{err: err}
	}
	defer object.Close()

	body := bufio.NewReaderSize(io.TeeReader(object, limit), 32<<10)
	e, err := readEntry(body, action, object.Attrs().Size)
	if err != nil {
		return fetchResult{err: err}
	}

	output, err := r.disk.create()
	if err != nil {
		return fetchResult{err: fmt.Errorf("%w: %w", errLocal, err)}
	}
	// Read until the end of the object, because its checksum is verified there.
	n, err := io.Copy(output, io.LimitReader(body, e.size+1))
	if err != nil {
		output.discard()
		return fetchResult{err: err}
	}
	if n != e.size || output.hash() != e.output {
		output.discard()
		hashErr := fmt.Errorf("%w: its content does not have the hash that it should have", errWrong)
		return fetchResult{err: hashErr}
	}

	path, err := r.disk.install(output, e)
	if err != nil {
		return fetchResult{entry: e, err: fmt.Errorf("%w: %w", errLocal, err)}
	}
	return fetchResult{entry: e, path: path}
}

// readEntry reads the entry in the first line of an object, which has size bytes. The output of the action follows it. It
// fails with errWrong if the line is no entry of the action, or if the output has not the size that the entry says.
func readEntry(body *bufio.Reader, action id, size int64) (entry, error) {
	// An object without the end of a line was not written by this program. parseEntry refuses what was read of it.
	line, err := body.ReadSlice('\n')
	hasNoLineEnd := err == io.EOF || errors.Is(err, bufio.ErrBufferFull)
	if err != nil && !hasNoLineEnd {
		return entry{}, err
	}

	text := string(line[:min(len(line), maxEntryLine)])
	e, err := parseEntry(text, action)
	if err != nil {
		return entry{}, fmt.Errorf("%w: %w", errWrong, err)
	}

	outputSize := size - int64(len(line))
	if e.size != outputSize || e.size > maxOutput {
		return entry{}, fmt.Errorf("%w: its size is not what its entry says", errWrong)
	}
	return e, nil
}

// upload stores the output of an action. An object that the action already has stays, so that builds
// agree on one output, unless get has refused that object.
func (r *remote) upload(ctx context.Context, e entry, progress func()) error {
	body, err := openObject(e, r.disk.outputPath(e.output), progress)
	if err != nil {
		return err
	}
	// Nothing was written to the file, so an error of Close does not matter.
	defer body.file.Close()

	section := io.NewSectionReader(body, 0, int64(len(body.line))+e.size)
	opts := []storage.UploadOption{storage.WithContentType("application/octet-stream"), storage.WithConcurrency(1)}
	// Only an object that get has refused may be replaced.
	_, isBad := r.badActions.Load(e.action)
	if !isBad && storage.Supports(r.bucket, storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}

	_, err = r.bucket.Upload(ctx, key(e.action), section, opts...)
	if errors.Is(err, storage.PreconditionFailed) {
		// The action has an object.
		return nil
	}
	if err != nil {
		return err
	}
	r.stats.uploads.Add(1)
	r.stats.uploadedBytes.Add(section.Size())
	return nil
}

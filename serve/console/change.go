package console

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/markerkey"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/transfer"
)

// atOnce is the number of objects that one request changes at the same time.
const atOnce = 8

// move renames an object or a folder. It never replaces an existing object.
func (h *Handler) move(r *http.Request) (any, error) {
	var asked struct {
		Bucket, From, To, Revision string
		Merge                      bool
	}
	if err := document(r, &asked); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), asked.Bucket)
	if err != nil {
		return nil, err
	}
	fromFolder := strings.HasSuffix(asked.From, "/")
	toFolder := strings.HasSuffix(asked.To, "/")
	if fromFolder != toFolder {
		return nil, misused("from and to", "must both be objects, or both folders that end in /")
	}
	if fromFolder {
		return moveFolder(r.Context(), b, asked.From, asked.To, asked.Merge)
	}
	if err := mustBeShown(r.Context(), b, asked.From, asked.Revision); err != nil {
		return nil, err
	}
	opts := []storage.CopyOption{storage.IfAbsent()}
	if !storage.Supports(b, storage.ConditionalCreate) {
		if opts, err = nil, mustBeFree(r.Context(), b, asked.To); err != nil {
			return nil, err
		}
	}
	if _, err := storage.Move(r.Context(), b, asked.From, asked.To, opts...); err != nil {
		return nil, err
	}
	return changes{Moved: 1, Failed: []failureView{}}, nil
}

// changes is the result of a request that changes several objects.
type changes struct {
	Moved  int64         `json:"moved"`
	Failed []failureView `json:"failed"`
}

// mustBeShown fails with Changed if an object no longer has the revision that the page has shown.
func mustBeShown(ctx context.Context, b storage.AttrsReader, key, revision string) error {
	if revision == "" {
		return nil
	}
	attrs, err := b.Attrs(ctx, key)
	if err == nil && attrs.Revision != revision {
		err = &storage.Error{
			Code: storage.Changed,
			Key:  key,
			Hint: "somebody has replaced the object: look at it again",
		}
	}
	return err
}

// mustBeFree fails with PreconditionFailed if an object exists. It is for stores without
// conditional writes. There, another writer may still create the object after the check.
func mustBeFree(ctx context.Context, b storage.AttrsReader, key string) error {
	exists, err := b.Exists(ctx, key)
	if err == nil && exists {
		err = &storage.Error{Code: storage.PreconditionFailed, Key: key, Hint: "choose another name: the object exists"}
	}
	return err
}

// moveFolder moves all objects of the first folder to the second one. If merge is false, the second
// folder must be empty. moveFolder never replaces an object. If the new name is taken or not valid,
// the object stays where it is. To continue after an interruption, call moveFolder again with
// merge.
func moveFolder(ctx context.Context, b storage.Bucket, src, dst string, merge bool) (any, error) {
	if strings.HasPrefix(dst, src) || strings.HasPrefix(src, dst) {
		return nil, misused("to", "must be neither in the folder nor around it")
	}
	for _, err := range b.List(ctx, storage.WithPrefix(dst), storage.WithLimit(1), storage.WithAnyOrder()) {
		if err != nil {
			return nil, err
		}
		if !merge {
			return nil, &storage.Error{
				Code: storage.PreconditionFailed,
				Key:  dst,
				Hint: "choose another name, or move the objects into this folder",
			}
		}
	}
	report, err := transfer.Sync(
		ctx, transfer.Bucket(storage.Prefixed(b, dst)), transfer.Bucket(storage.Prefixed(b, src)),
		transfer.WithMove(), transfer.WithMissingOnly(),
		transfer.WithKeys(func(key string) bool { return !strings.HasSuffix(key, "/") }),
	)
	if report == nil || err != nil && len(report.Failures) == 0 {
		return nil, err
	}
	moved := changes{Moved: report.Transferred, Failed: []failureView{}}
	for _, f := range report.Failures {
		moved.Failed = append(moved.Failed, failed(ctx, src+f.Key, f.Err))
	}
	if report.Skipped > 0 {
		moved.Failed = append(moved.Failed, failureView{src, "some objects stay: the other folder has their names",
			storage.PreconditionFailed})
	}
	if len(moved.Failed) == 0 {
		err = moveMarkers(ctx, b, src, dst)
	} else {
		err = nil
	}
	return moved, err
}

// moveMarkers moves the markers of folders: empty objects whose keys end in "/". Consoles create
// such objects.
func moveMarkers(ctx context.Context, b storage.Bucket, src, dst string) error {
	markers := markerkey.Allow(ctx)
	for e, err := range b.List(ctx, storage.WithPrefix(src), storage.WithAnyOrder()) {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(e.Key, "/") || e.Size > 0 {
			continue
		}
		_, err = storage.Copy(markers, b, dst+strings.TrimPrefix(e.Key, src), b, e.Key)
		if err == nil {
			err = b.Remove(ctx, e.Key, ifShown(b, e.Revision)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type removal struct {
	Key      string `json:"key"`
	Revision string `json:"revision"`
}

type failureView struct {
	Key   string       `json:"key"`
	Error string       `json:"error"`
	Code  storage.Code `json:"code"`
}

// removals counts the removed objects, and lists the failures.
type removals struct {
	mu      sync.Mutex
	Removed int           `json:"removed"`
	Failed  []failureView `json:"failed"`
}

func (s *removals) add(ctx context.Context, key string, n int, err error) {
	var failures []failureView
	if err != nil {
		failures = []failureView{failed(ctx, key, err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Removed += n
	s.Failed = append(s.Failed, failures...)
}

func failed(ctx context.Context, key string, err error) failureView {
	e := storage.AsError(ctx, err)
	return failureView{key, inWords(e), e.Code}
}

// remove removes objects and folders. An object is removed only if it still has the revision that
// the page has shown. A folder is removed with all objects below it.
func (h *Handler) remove(r *http.Request) (any, error) {
	var asked struct {
		Bucket  string
		Objects []removal
		Folders []string
	}
	if err := document(r, &asked); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), asked.Bucket)
	if err != nil {
		return nil, err
	}
	for _, folder := range asked.Folders {
		if !strings.HasSuffix(folder, "/") {
			return nil, misused("folders", "must each end in /")
		}
	}
	sum := &removals{Failed: []failureView{}}
	parallel.All(len(asked.Objects), atOnce, func(i int) error {
		o := asked.Objects[i]
		err := b.Remove(r.Context(), o.Key, ifShown(b, o.Revision)...)
		n := 1
		if err != nil {
			n = 0
		}
		sum.add(r.Context(), o.Key, n, err)
		return nil
	})
	for _, folder := range asked.Folders {
		n, err := storage.RemoveMatching(r.Context(), b, nil, storage.WithPrefix(folder))
		sum.add(r.Context(), folder, n, err)
	}
	return sum, nil
}

// ifShown returns the condition that an object still has the listed revision. If the store does not
// support such a condition, ifShown returns nil.
func ifShown(b storage.Bucket, revision string) []storage.RemoveOption {
	if revision == "" || !storage.Supports(b, storage.ConditionalRemove) {
		return nil
	}
	return []storage.RemoveOption{storage.IfRevision(revision)}
}

// restore makes a version of an object current again. Without a version, it restores the newest
// version of a removed object.
func (h *Handler) restore(r *http.Request) (any, error) {
	var asked struct{ Bucket, Key, Version string }
	if err := document(r, &asked); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), asked.Bucket)
	if err != nil {
		return nil, err
	}
	if asked.Version != "" {
		_, err := storage.Copy(r.Context(), b, asked.Key, b, asked.Key, storage.WithVersion(asked.Version))
		return struct{}{}, err
	}
	report, err := transfer.Undelete(
		r.Context(), b, transfer.WithPrefix(asked.Key),
		transfer.WithKeys(func(key string) bool { return key == asked.Key }),
	)
	if err != nil {
		return nil, err
	}
	if report.Transferred == 0 {
		return nil, &storage.Error{
			Code: storage.ObjectNotFound,
			Key:  asked.Key,
			Hint: "the object exists again, or the store has no version of it",
		}
	}
	return struct{}{}, nil
}

// setTags replaces the tags of an object.
func (h *Handler) setTags(r *http.Request) (any, error) {
	var asked struct {
		Bucket, Key string
		Tags        map[string]string
	}
	if err := document(r, &asked); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), asked.Bucket)
	if err != nil {
		return nil, err
	}
	return struct{}{}, storage.SetTags(r.Context(), b, asked.Key, asked.Tags)
}

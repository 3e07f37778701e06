package console

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/serve"
)

const (
	// maxArchive is the largest number of objects in an archive. The server keeps the names of all of
	// them while it sends the archive.
	maxArchive = 100_000
	// maxChosen is the largest number of objects that a user can select for an archive. Each of them
	// costs a request.
	maxChosen = 1000
	// maxArchives is the number of archives whose addresses are valid at the same time.
	maxArchives = 32
	// archiveTTL is how long the address of an archive is valid.
	archiveTTL = time.Hour
)

// An archive is what a user has selected for a ZIP archive. The folders are listed again when it is
// sent: the entries of all archives would need too much memory.
type archive struct {
	id      string
	bucket  string
	prefix  string              // folder that the page shows, "" or ending in "/"
	objects []storage.ListEntry // their keys begin below the prefix
	folders []string            // their names begin below the prefix, too; "" is the whole folder
	expires time.Time
}

// archives has the newest archives, the oldest first. They are kept here, because an address cannot
// hold the keys of a thousand objects.
type archives struct {
	mu  sync.Mutex
	all []*archive
}

// add adds an archive, and drops those that have expired and, if there are too many, the oldest.
func (s *archives) add(a *archive, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.all) > 0 && (len(s.all) >= maxArchives || now.After(s.all[0].expires)) {
		s.all = s.all[1:]
	}
	s.all = append(s.all, a)
}

// find returns the archive with an ID, or nil.
func (s *archives) find(id string, now time.Time) *archive {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.all {
		if a.id == id && !now.After(a.expires) {
			return a
		}
	}
	return nil
}

// archive returns an address that downloads objects and folders as a ZIP archive, and what is in it.
func (h *Handler) archive(r *http.Request) (any, error) {
	var params struct {
		Bucket, Prefix string
		Objects        []string
		Folders        []string
	}
	if err := document(r, &params); err != nil {
		return nil, err
	}
	if len(params.Objects) > maxChosen {
		return nil, invalidArgument("objects", "must be at most 1,000: select their folder")
	}
	if params.Prefix != "" && !strings.HasSuffix(params.Prefix, "/") {
		return nil, invalidArgument("prefix", "must end in /")
	}
	for _, key := range slices.Concat(params.Objects, params.Folders) {
		if !strings.HasPrefix(key, params.Prefix) {
			return nil, invalidArgument("objects and folders", "must be in the folder")
		}
	}
	a := &archive{
		id:      rand.Text(),
		bucket:  params.Bucket,
		prefix:  params.Prefix,
		objects: make([]storage.ListEntry, len(params.Objects)),
		expires: h.config.Now().Add(archiveTTL),
	}
	for _, folder := range params.Folders {
		if folder != "" && !strings.HasSuffix(folder, "/") {
			return nil, invalidArgument("folders", "must each end in /")
		}
		a.folders = append(a.folders, strings.TrimPrefix(folder, a.prefix))
	}
	b, err := h.archiveSource(r.Context(), a)
	if err != nil {
		return nil, err
	}
	err = running.Each(r.Context(), len(a.objects), atOnce, func(ctx context.Context, i int) error {
		key := strings.TrimPrefix(params.Objects[i], a.prefix)
		attrs, err := b.Attrs(ctx, key)
		if err != nil {
			return err
		}
		a.objects[i] = storage.ListEntry{Key: key, Size: attrs.Size, Modified: attrs.Modified, Revision: attrs.Revision}
		return nil
	})
	if err != nil {
		return nil, err
	}

	answer := struct {
		Download string `json:"download"`
		Objects  int    `json:"objects"`
		Size     int64  `json:"size"`
	}{Download: "archive/" + a.id} // relative to the address of the page
	for e, err := range a.entries(r.Context(), b) {
		if err != nil {
			return nil, err
		}
		answer.Objects++
		answer.Size += e.Size
	}
	if answer.Objects == 0 {
		return nil, &storage.Error{Code: storage.ObjectNotFound, Err: errors.New("there are no objects to download")}
	}
	h.archives.add(a, h.config.Now())
	return answer, nil
}

// archiveSource returns the bucket of an archive, or the folder in it that the page shows.
func (h *Handler) archiveSource(ctx context.Context, a *archive) (storage.Bucket, error) {
	b, _, err := h.source.Bucket(ctx, a.bucket)
	if err != nil || a.prefix == "" {
		return b, err
	}
	return storage.Prefixed(b, a.prefix), nil
}

// entries returns the objects of the archive. It leaves out the empty objects that consoles store for
// folders. If there are too many objects, the last error is TooLarge.
func (a *archive) entries(ctx context.Context, b storage.Lister) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for _, e := range a.objects {
			if !yield(e, nil) {
				return
			}
		}
		n := len(a.objects)
		for _, folder := range a.folders {
			for e, err := range b.List(ctx, storage.WithPrefix(folder), storage.WithAnyOrder()) {
				if err != nil {
					yield(e, err)
					return
				}
				if isMarker(e) {
					continue
				}
				n++
				if n > maxArchive {
					yield(storage.ListEntry{}, &storage.Error{
						Code: storage.TooLarge,
						Err:  errors.New("an archive has at most 100,000 objects"),
						Hint: "download a folder in it, or use omnibucket cp -r",
					})
					return
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// sendArchive sends a ZIP archive whose address the page has received. The names in it begin below
// the folder that the page shows.
func (h *Handler) sendArchive(w http.ResponseWriter, r *http.Request) {
	a := h.archives.find(r.PathValue("id"), h.config.Now())
	if a == nil {
		http.Error(w, "the address has expired: select the objects again", http.StatusNotFound)
		return
	}
	b, err := h.archiveSource(r.Context(), a)
	if err != nil {
		http.Error(w, "there is no such bucket", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Security-Policy", contentPolicy("", ""))
	serve.Zip(
		w, r, b, a.entries(r.Context(), b),
		serve.WithDownloadName(a.name()), serve.WithErrorHandler(cannotRead),
	)
}

// name returns the file name of the archive. If the archive has only one folder, it is the name of
// that folder. Otherwise it is the name of the folder that contains the files, or of the bucket.
func (a *archive) name() string {
	folder := a.prefix
	if len(a.folders) == 1 && len(a.objects) == 0 {
		folder += a.folders[0]
	}
	if folder == "" {
		return a.bucket + ".zip"
	}
	return path.Base(folder) + ".zip"
}

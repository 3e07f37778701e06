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

// add adds an archive, after it has dropped the expired ones and, if there are too many, the oldest.
func (s *archives) add(a *archive, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for len(s.all) > 0 {
		oldest := s.all[0]
		if len(s.all) < maxArchives && !now.After(oldest.expires) {
			break
		}
		s.all = s.all[1:]
	}
	s.all = append(s.all, a)
}

// find returns the archive with this ID, or nil if there is none or it has expired.
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

// archiveParams are the parameters of a request for an archive.
type archiveParams struct {
	Bucket  string
	Prefix  string
	Objects []string
	Folders []string
}

// check fails with InvalidArgument if the page cannot have sent these parameters.
func (p *archiveParams) check() error {
	if len(p.Objects) > maxChosen {
		return invalidArgument("objects", "must be at most 1,000: select their folder")
	}
	if p.Prefix != "" && !strings.HasSuffix(p.Prefix, "/") {
		return invalidArgument("prefix", "must end in /")
	}
	for _, name := range slices.Concat(p.Objects, p.Folders) {
		if !strings.HasPrefix(name, p.Prefix) {
			return invalidArgument("objects and folders", "must be in the folder")
		}
	}
	for _, folder := range p.Folders {
		if folder != "" && !strings.HasSuffix(folder, "/") {
			return invalidArgument("folders", "must each end in /")
		}
	}
	return nil
}

// archiveView is the response to a request for an archive.
type archiveView struct {
	Download string `json:"download"` // relative to the address of the page
	Objects  int    `json:"objects"`
	Size     int64  `json:"size"`
}

// archive prepares a ZIP archive of the selected objects and folders. It returns the address of the
// archive, and the number and size of its objects.
func (h *Handler) archive(r *http.Request) (any, error) {
	var params archiveParams
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}
	if err := params.check(); err != nil {
		return nil, err
	}

	a := &archive{
		id:      rand.Text(),
		bucket:  params.Bucket,
		prefix:  params.Prefix,
		expires: h.config.Now().Add(archiveTTL),
	}

	// Names in the archive are relative to the folder that the page shows.
	for _, folder := range params.Folders {
		a.folders = append(a.folders, strings.TrimPrefix(folder, a.prefix))
	}

	b, err := h.archiveSource(r.Context(), a)
	if err != nil {
		return nil, err
	}
	a.objects, err = readEntries(r.Context(), b, a.prefix, params.Objects)
	if err != nil {
		return nil, err
	}

	// The page shows the size of the archive before the download.
	view, err := a.view(r.Context(), b)
	if err != nil {
		return nil, err
	}
	if view.Objects == 0 {
		return nil, &storage.Error{Code: storage.ObjectNotFound, Err: errors.New("there are no objects to download")}
	}

	h.archives.add(a, h.config.Now())
	return view, nil
}

// view lists the objects of the archive, and returns their number and size with the address of the archive.
func (a *archive) view(ctx context.Context, b storage.Lister) (archiveView, error) {
	view := archiveView{Download: "archive/" + a.id}
	for entry, err := range a.entries(ctx, b) {
		if err != nil {
			return archiveView{}, err
		}
		view.Objects++
		view.Size += entry.Size
	}
	return view, nil
}

// readEntries returns the entries of the objects with these keys. The entries, like b, have the keys
// without the prefix.
func readEntries(
	ctx context.Context, b storage.AttrsReader, prefix string, keys []string,
) ([]storage.ListEntry, error) {
	entries := make([]storage.ListEntry, len(keys))
	// Look up several objects at once, each into its own place.
	err := running.Each(ctx, len(keys), atOnce, func(ctx context.Context, i int) error {
		key := strings.TrimPrefix(keys[i], prefix)
		attrs, err := b.Attrs(ctx, key)
		if err != nil {
			return err
		}
		entries[i] = storage.ListEntry{
			Key:      key,
			Size:     attrs.Size,
			Modified: attrs.Modified,
			Revision: attrs.Revision,
		}
		return nil
	})
	return entries, err
}

// archiveSource returns the bucket of an archive, with keys below the folder that the page shows.
func (h *Handler) archiveSource(ctx context.Context, a *archive) (storage.Bucket, error) {
	b, _, err := h.source.Bucket(ctx, a.bucket)
	if err != nil {
		return nil, err
	}
	if a.prefix == "" {
		return b, nil
	}
	return storage.Prefixed(b, a.prefix), nil
}

// entries yields the objects of the archive, and ends with TooLarge if there are too many. It leaves
// out the empty objects that consoles store for folders.
func (a *archive) entries(ctx context.Context, b storage.Lister) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		count := 0
		for entry, err := range a.allEntries(ctx, b) {
			if err != nil {
				yield(storage.ListEntry{}, err)
				return
			}

			count++
			if count > maxArchive {
				yield(storage.ListEntry{}, &storage.Error{
					Code: storage.TooLarge,
					Err:  errors.New("an archive has at most 100,000 objects"),
					Hint: "download a folder in it, or use omnibucket cp -r",
				})
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// allEntries yields the selected objects and then those in the selected folders, up to the first
// error.
func (a *archive) allEntries(ctx context.Context, b storage.Lister) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for _, entry := range a.objects {
			if !yield(entry, nil) {
				return
			}
		}
		for _, folder := range a.folders {
			for entry, err := range b.List(ctx, storage.WithPrefix(folder), storage.WithAnyOrder()) {
				if err != nil {
					yield(entry, err)
					return
				}
				if isMarker(entry) {
					continue
				}
				if !yield(entry, nil) {
					return
				}
			}
		}
	}
}

// sendArchive sends the ZIP archive at an address that archive has returned.
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

// name returns the file name of the archive: that of its only folder, or else of the folder around
// its files, or else of the bucket.
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

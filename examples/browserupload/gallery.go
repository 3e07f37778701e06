package main

import (
	"context"
	"errors"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/omnibucket/storage"
)

const (
	pageSize = 24
	viewTTL  = time.Hour      // lifetime of the gallery's URLs; the page replaces them before they expire
	linkTTL  = 24 * time.Hour // lifetime of a link that the user copies
)

// A galleryImage describes an image to the page.
type galleryImage struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Size     int64     `json:"size"` // size in bytes
	Modified time.Time `json:"modified"`
	link
}

// A link is a URL at which an image can be read.
type link struct {
	URL       string     `json:"url"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"` // nil for a public URL, which never expires
}

type gallery struct {
	Images []galleryImage `json:"images"`
	Next   string         `json:"next"` // "" on the last page
}

// listImages returns a page of the gallery, newest first. A program with a database would keep the
// names there, and would need neither the listing nor Attrs.
func (s *site) listImages(r *http.Request) (any, error) {
	page, err := storage.ListPage(r.Context(), s.images, r.FormValue("page"),
		storage.WithDelimiter("/"), storage.WithPageSize(pageSize))
	if err != nil {
		return nil, err
	}

	var ids []string
	for _, entry := range page.Entries {
		if !entry.IsPrefix && isImage(entry.Key) {
			ids = append(ids, entry.Key)
		}
	}

	// Up to eight images are read at the same time.
	images := make([]*galleryImage, len(ids))
	errs := make([]error, len(ids))
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, id := range ids {
		group.Go(func() {
			slots <- struct{}{}
			images[i], errs[i] = s.image(r.Context(), id)
			<-slots
		})
	}
	group.Wait()

	g := gallery{Images: []galleryImage{}, Next: page.Token}
	for i, img := range images {
		if errors.Is(errs[i], storage.ObjectNotFound) {
			continue // another visitor has deleted the image
		}
		if errs[i] != nil {
			return nil, errs[i]
		}
		g.Images = append(g.Images, *img)
	}
	return g, nil
}

func isImage(key string) bool {
	for _, extension := range types {
		if path.Ext(key) == extension {
			return true
		}
	}
	return false
}

// image describes one image, with a URL at which the page shows it.
func (s *site) image(ctx context.Context, id string) (*galleryImage, error) {
	attrs, err := s.images.Attrs(ctx, id)
	if err != nil {
		return nil, err
	}
	l, err := s.linkTo(ctx, id, viewTTL)
	if err != nil {
		return nil, err
	}
	name := attrs.Metadata["name"]
	if name == "" {
		// This program always sets the name, so another program has stored the image. Show the id.
		name = id
	}
	return &galleryImage{ID: id, Name: name, Size: attrs.Size, Modified: attrs.Modified, link: *l}, nil
}

// linkTo returns a URL at which the image can be read. If the bucket has public URLs, it is the
// public URL, otherwise a signed one. linkTo makes no request to the store.
func (s *site) linkTo(ctx context.Context, id string, ttl time.Duration) (*link, error) {
	address, err := s.images.PublicURL(id)
	if err == nil {
		return &link{URL: address}, nil
	}
	if !errors.Is(err, storage.NotPublic) {
		return nil, err
	}
	signedURL, err := s.images.SignedDownloadURL(ctx, id, storage.WithTTL(ttl))
	if err != nil {
		return nil, err
	}
	return &link{URL: signedURL.URL, ExpiresAt: &signedURL.ExpiresAt}, nil
}

// shareImage returns a link that the user can copy. The page also calls it if the URL of an image
// has expired.
func (s *site) shareImage(r *http.Request) (any, error) {
	id := r.PathValue("id")
	exists, err := s.images.Exists(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, storage.ObjectNotFound
	}
	return s.linkTo(r.Context(), id, linkTTL)
}

// deleteImage deletes an image. It need not check the ID, because a Prefixed bucket never reaches
// an object outside its prefix.
func (s *site) deleteImage(r *http.Request) (any, error) {
	return nil, s.images.Remove(r.Context(), r.PathValue("id"))
}

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// attributes are the flags that say what a written object shall be, and guard it.
type attributes struct {
	contentType, contentEncoding, contentDisposition, contentLanguage string
	cacheControl, storageClass, revision                              string
	metadata                                                          []string
	public, ifAbsent                                                  bool
}

func (a *attributes) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.contentType, "content-type", "", "the media `type` (default: by the key, else by the content)")
	f.StringVar(&a.contentEncoding, "content-encoding", "", "how the bytes are encoded already, such as gzip")
	f.StringVar(&a.contentDisposition, "content-disposition", "", "how a browser shows or saves it")
	f.StringVar(&a.contentLanguage, "content-language", "", "such as en")
	f.StringVar(&a.cacheControl, "cache-control", "", "such as max-age=3600")
	f.StringArrayVar(&a.metadata, "metadata", nil, "`key=value` of its own; may be given several times")
	f.StringVar(&a.storageClass, "storage-class", "", "the provider's own `word` for it")
	f.BoolVar(&a.public, "public", false, "readable by anyone, where objects have a rule of their own")
	f.BoolVar(&a.ifAbsent, "if-absent", false, "only where there is no such object yet (else exit code 4)")
	f.StringVar(&a.revision, "if-revision", "", "only where the object there is of this `revision` (else exit code 4)")
}

// A writeOptions is what the flags say, for the library.
type writeOptions struct {
	attributes  []storage.WriteOption
	revision    []storage.RevisionOption // of what is replaced
	conditional bool                     // there is a condition
}

// read makes options of the flags that were given. A value that is no good, the
// library refuses.
func (a *attributes) read(c *cobra.Command) (writeOptions, error) {
	var w writeOptions
	for _, flag := range []struct {
		name  string
		value string
		with  func(string) storage.WriteOption
	}{
		{"content-type", a.contentType, storage.WithContentType},
		{"content-encoding", a.contentEncoding, storage.WithContentEncoding},
		{"content-disposition", a.contentDisposition, storage.WithContentDisposition},
		{"content-language", a.contentLanguage, storage.WithContentLanguage},
		{"cache-control", a.cacheControl, storage.WithCacheControl},
		{"storage-class", a.storageClass, storage.WithStorageClass},
	} {
		if c.Flags().Changed(flag.name) {
			w.attributes = append(w.attributes, flag.with(flag.value))
		}
	}
	if len(a.metadata) > 0 {
		metadata, err := parseMetadata(a.metadata)
		if err != nil {
			return w, err
		}
		w.attributes = append(w.attributes, storage.WithMetadata(metadata))
	}
	if a.public {
		w.attributes = append(w.attributes, storage.WithPublicRead())
	}
	if a.ifAbsent {
		w.attributes = append(w.attributes, storage.IfAbsent())
	}
	if c.Flags().Changed("if-revision") {
		w.revision = append(w.revision, storage.IfRevision(a.revision))
	}
	w.conditional = a.ifAbsent || len(w.revision) > 0
	return w, nil
}

func parseMetadata(pairs []string) (map[string]string, error) {
	metadata := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		_, twice := metadata[key]
		if !ok || twice {
			return nil, invalid("--metadata must be key=value, each key once", "")
		}
		metadata[key] = value
	}
	return metadata, nil
}

func (w writeOptions) isEmpty() bool { return len(w.attributes) == 0 && len(w.revision) == 0 }

func (w writeOptions) forUpload() []storage.UploadOption {
	var opts []storage.UploadOption
	for _, o := range w.attributes {
		opts = append(opts, o)
	}
	for _, o := range w.revision {
		opts = append(opts, o)
	}
	return opts
}

func (w writeOptions) forCopy() []storage.CopyOption {
	var opts []storage.CopyOption
	for _, o := range w.attributes {
		opts = append(opts, o)
	}
	for _, o := range w.revision {
		opts = append(opts, o)
	}
	return opts
}

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// attributes are the flags for the attributes and the condition of a written object.
type attributes struct {
	contentType, contentEncoding, contentDisposition, contentLanguage string
	cacheControl, storageClass, revision                              string
	metadata, tags                                                    []string
	public, ifAbsent                                                  bool
}

func (a *attributes) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.contentType, "content-type", "", "content `type` (default: derived from the key or the content)")
	f.StringVar(&a.contentEncoding, "content-encoding", "", "content encoding of the stored bytes, such as gzip")
	f.StringVar(&a.contentDisposition, "content-disposition", "", "whether a browser shows the object or saves it")
	f.StringVar(&a.contentLanguage, "content-language", "", "content language, such as en")
	f.StringVar(&a.cacheControl, "cache-control", "", "cache control, such as max-age=3600")
	f.StringArrayVar(&a.metadata, "metadata", nil, "custom metadata `key=value`; may be repeated")
	f.StringArrayVar(&a.tags, "tag", nil, "tag `key=value`; may be repeated; replaces the tags of the source")
	f.StringVar(&a.storageClass, "storage-class", "", "storage `class`, as the provider calls it")
	f.BoolVar(&a.public, "public", false, "let anyone read the object, if the provider has permissions for single objects")
	f.BoolVar(&a.ifAbsent, "if-absent", false, "write only if the object does not exist (otherwise exit code 4)")
	f.StringVar(&a.revision, "if-revision", "", "write only if the object has this `revision` (otherwise exit code 4)")
}

// A writeOptions has the values of the flags as options of the library.
type writeOptions struct {
	attributes  []storage.WriteOption
	revision    []storage.RevisionOption // of the replaced object
	ifAbsent    bool                     // which is one of the attributes, too
	conditional bool                     // whether there is a condition
}

// read returns options for the flags that are set. The library refuses invalid
// values.
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
		metadata, err := parsePairs("--metadata", a.metadata)
		if err != nil {
			return w, err
		}
		w.attributes = append(w.attributes, storage.WithMetadata(metadata))
	}
	if len(a.tags) > 0 {
		tags, err := parsePairs("--tag", a.tags)
		if err != nil {
			return w, err
		}
		w.attributes = append(w.attributes, storage.WithTags(tags))
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
	w.ifAbsent = a.ifAbsent
	w.conditional = a.ifAbsent || len(w.revision) > 0
	return w, nil
}

func parsePairs(flag string, pairs []string) (map[string]string, error) {
	parsed := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		_, twice := parsed[key]
		if !ok || twice {
			return nil, invalid(flag+" must have the form key=value, with each key only once", "")
		}
		parsed[key] = value
	}
	return parsed, nil
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

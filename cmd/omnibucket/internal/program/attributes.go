package program

import (
	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// Attributes are the flags that set the attributes of a written object, and the condition of the
// write.
type Attributes struct {
	contentType, contentEncoding, contentDisposition, contentLanguage string
	cacheControl, storageClass, revision                              string
	metadata, tags                                                    []string
	public, ifAbsent                                                  bool
}

// Register adds the flags to a command.
func (a *Attributes) Register(c *cobra.Command) {
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

// A WriteOptions has the values of the flags as options of the library.
type WriteOptions struct {
	Attributes  []storage.WriteOption
	Revision    []storage.RevisionOption // condition: the revision that the write must replace
	IfAbsent    bool                     // true if Attributes contains the option IfAbsent
	Conditional bool                     // true if the write has one of the two conditions
}

// Read returns options for the flags that are set. It does not check their values, because the
// library does.
func (a *Attributes) Read(c *cobra.Command) (WriteOptions, error) {
	var w WriteOptions
	for _, flag := range []struct {
		name   string
		value  string
		option func(string) storage.WriteOption
	}{
		{"content-type", a.contentType, storage.WithContentType},
		{"content-encoding", a.contentEncoding, storage.WithContentEncoding},
		{"content-disposition", a.contentDisposition, storage.WithContentDisposition},
		{"content-language", a.contentLanguage, storage.WithContentLanguage},
		{"cache-control", a.cacheControl, storage.WithCacheControl},
		{"storage-class", a.storageClass, storage.WithStorageClass},
	} {
		if c.Flags().Changed(flag.name) {
			w.Attributes = append(w.Attributes, flag.option(flag.value))
		}
	}

	if len(a.metadata) > 0 {
		metadata, err := argument.ParsePairs("--metadata", a.metadata)
		if err != nil {
			return w, err
		}
		w.Attributes = append(w.Attributes, storage.WithMetadata(metadata))
	}

	if len(a.tags) > 0 {
		tags, err := argument.ParsePairs("--tag", a.tags)
		if err != nil {
			return w, err
		}
		w.Attributes = append(w.Attributes, storage.WithTags(tags))
	}

	if a.public {
		w.Attributes = append(w.Attributes, storage.WithPublicRead())
	}
	if a.ifAbsent {
		w.Attributes = append(w.Attributes, storage.IfAbsent())
	}

	if c.Flags().Changed("if-revision") {
		w.Revision = append(w.Revision, storage.IfRevision(a.revision))
	}
	w.IfAbsent = a.ifAbsent
	w.Conditional = a.ifAbsent || len(w.Revision) > 0
	return w, nil
}

// IsEmpty reports whether there are no options.
func (w WriteOptions) IsEmpty() bool { return len(w.Attributes) == 0 && len(w.Revision) == 0 }

// ForUpload returns the options for an upload.
func (w WriteOptions) ForUpload() []storage.UploadOption {
	return With(With[storage.UploadOption](nil, w.Attributes), w.Revision)
}

// ForCopy returns the options for a copy.
func (w WriteOptions) ForCopy() []storage.CopyOption {
	return With(With[storage.CopyOption](nil, w.Attributes), w.Revision)
}

// With appends options of the type M to options of the type O. Each appended option must implement
// O.
func With[O, M any](opts []O, extra []M) []O {
	opts = opts[:len(opts):len(opts)]
	for _, o := range extra {
		opts = append(opts, any(o).(O))
	}
	return opts
}

package program

import (
	"slices"

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

// Register adds the flags for attributes of an uploaded object, such as --content-type, to a command.
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

// Read returns the options for the flags that are set. The library checks their values.
func (a *Attributes) Read(c *cobra.Command) (WriteOptions, error) {
	var w WriteOptions
	isSet := c.Flags().Changed
	if isSet("content-type") {
		w.Attributes = append(w.Attributes, storage.WithContentType(a.contentType))
	}
	if isSet("content-encoding") {
		w.Attributes = append(w.Attributes, storage.WithContentEncoding(a.contentEncoding))
	}
	if isSet("content-disposition") {
		w.Attributes = append(w.Attributes, storage.WithContentDisposition(a.contentDisposition))
	}
	if isSet("content-language") {
		w.Attributes = append(w.Attributes, storage.WithContentLanguage(a.contentLanguage))
	}
	if isSet("cache-control") {
		w.Attributes = append(w.Attributes, storage.WithCacheControl(a.cacheControl))
	}
	if isSet("storage-class") {
		w.Attributes = append(w.Attributes, storage.WithStorageClass(a.storageClass))
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

	if isSet("if-revision") {
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

// With returns opts followed by the options of another type, which must implement O, too. It does not
// change opts.
func With[O, M any](opts []O, extra []M) []O {
	opts = slices.Clip(opts)
	for _, o := range extra {
		opts = append(opts, any(o).(O))
	}
	return opts
}

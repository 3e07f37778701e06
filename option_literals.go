package storage

import "cmp"

// An options struct that is passed as an option replaces what the options before it said. A bad option
// before it still makes the call fail.

func (r ListOptions) applyList(to *ListOptions) {
	r.err = cmp.Or(to.err, r.err)
	*to = r
}

func (r RemoveOptions) applyRemove(to *RemoveOptions) {
	r.err = cmp.Or(to.err, r.err)
	*to = r
}

func (r CopyOptions) applyCopy(to *CopyOptions) {
	r.err = cmp.Or(to.err, r.err)
	if r.Tail != nil {
		fail(&r.err, "Tail", "is what Append adds, and no option sets it")
	}
	r.Set |= r.Properties.set()
	*to = r
}

func (r UploadOptions) applyUpload(to *UploadOptions) {
	r.err = cmp.Or(to.err, r.err)
	if !r.applied && r.Size == 0 {
		r.Size = -1 // a literal that does not set Size
	}
	r.Set |= r.Properties.set()
	*to = r
}

func (r DownloadOptions) applyDownload(to *DownloadOptions) {
	r.err = cmp.Or(to.err, r.err)
	if !r.applied && r.Length == 0 {
		r.Length = -1 // a literal that does not set Length
	}
	*to = r
}

func (r DownloadOptions) applyAttrs(to *DownloadOptions) { r.applyDownload(to) }

// set returns the properties that are not empty.
func (p *Properties) set() (set PropertySet) {
	for _, property := range [...]struct {
		bit   PropertySet
		given bool
	}{
		{ContentTypeSet, p.ContentType != ""},
		{ContentEncodingSet, p.ContentEncoding != ""},
		{ContentDispositionSet, p.ContentDisposition != ""},
		{ContentLanguageSet, p.ContentLanguage != ""},
		{CacheControlSet, p.CacheControl != ""},
		{MetadataSet, len(p.Metadata) > 0},
		{StorageClassSet, p.StorageClass != ""},
	} {
		if property.given {
			set |= property.bit
		}
	}
	return set
}

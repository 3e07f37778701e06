package storage

import "cmp"

// An options struct can be passed as an option. It replaces the values of all options before it. If
// an earlier option was bad, the call still fails.

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
		r.Size = -1 // 0 in a struct literal means that the size is not declared
	}
	r.Set |= r.Properties.set()
	*to = r
}

func (r DownloadOptions) applyDownload(to *DownloadOptions) {
	r.err = cmp.Or(to.err, r.err)
	if !r.applied && r.Length == 0 {
		r.Length = -1 // 0 in a struct literal means that the range goes to the end
	}
	*to = r
}

func (r DownloadOptions) applyAttrs(to *DownloadOptions) { r.applyDownload(to) }

// This method returns the bits of the properties that are not empty.
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

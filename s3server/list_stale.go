package s3server

// list shows one page of current objects and common prefixes, as store.list does. It leaves out
// objects that the request's fault conceals, and fills the page with those after them.
func (r *request) list(l listing, after position, show func(v *version, common string)) (more bool, err error) {
	if r.fault == nil || r.fault.Stale <= 0 || l.max == 0 {
		return r.server.store.list(r.Context(), r.target.bucket, l, after, show)
	}
	newest := r.server.now().Add(-r.fault.Stale)
	left := l.max
	for more = true; more && left > 0; {
		page := l
		page.max = left
		more, err = r.server.store.list(r.Context(), r.target.bucket, page, after, func(v *version, common string) {
			if v == nil {
				after = position{key: common, prefix: true}
			} else {
				after = position{key: v.key}
			}
			if v == nil || !v.modified.After(newest) {
				left--
				show(v, common)
			}
		})
		if err != nil {
			return false, err
		}
	}
	return more, nil
}

package s3server

import "net/url"

// Env returns variables for the AWS SDKs of all languages, the AWS command and other clients
// that read them: address, credentials, region and, with TLS, a file with the certificate,
// which ends with the server. Append it to [os.Environ] for a subprocess. Clients find
// buckets by path, because the address has no name.
func (s *Server) Env() []string {
	c := s.Credentials()
	env := []string{
		"AWS_ENDPOINT_URL=" + s.URL,
		"AWS_ENDPOINT_URL_S3=" + s.URL,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretKey,
		"AWS_REGION=" + s.config.Region,
		"AWS_DEFAULT_REGION=" + s.config.Region,
	}
	if c.SessionToken != "" {
		env = append(env, "AWS_SESSION_TOKEN="+c.SessionToken)
	}
	if s.bundle != "" {
		env = append(env, "AWS_CA_BUNDLE="+s.bundle)
	}
	return env
}

// Address returns the address of a bucket for [storage.Open]. It has no credentials:
// storage.Open reads AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which [Server.Env] has. Its
// profile is omnibucket, which declares Amazon's rules.
func (s *Server) Address(bucket string) string {
	query := url.Values{"endpoint": {s.URL}, "region": {s.config.Region}, "path_style": {"true"}, "profile": {"omnibucket"}}
	return (&url.URL{Scheme: "s3", Host: bucket, RawQuery: query.Encode()}).String()
}

// Credentials returns the first of Config.Credentials, or the default. It is zero if the server
// has none and takes only anonymous requests.
func (h *Handler) Credentials() Credential {
	if len(h.config.Credentials) == 0 {
		return Credential{}
	}
	return h.config.Credentials[0]
}

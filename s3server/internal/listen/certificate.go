package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"time"
)

// certificateTerm is the longest validity of a certificate that Apple's clients accept.
const certificateTerm = 825 * 24 * time.Hour

// WithCertificate returns a copy of c with which a server can listen, and the certificate that clients must trust. If c
// has no certificate, the copy makes new ones for the hosts. The certificate is nil if c has a function that chooses
// one, because it is not known yet.
func WithCertificate(c *tls.Config, hosts []string) (*tls.Config, *x509.Certificate, error) {
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}

	if c.GetCertificate != nil || c.GetConfigForClient != nil {
		return c, nil, nil
	}
	if len(c.Certificates) == 0 {
		authority, newCertificate, err := newAuthority(hosts)
		c.GetCertificate = newCertificate
		return c, authority, err
	}

	first := c.Certificates[0]
	if len(first.Certificate) == 0 || first.PrivateKey == nil {
		return nil, nil, errors.New("the first of Config.TLS.Certificates must have a certificate and a private key")
	}
	certificate, err := x509.ParseCertificate(first.Certificate[0])
	return c, certificate, err
}

// Hosts returns the host names and IP addresses that the certificate of a server at addr must contain.
func Hosts(addr string, domains []string) []string {
	hosts := []string{"localhost", "*.localhost", "127.0.0.1", "::1"}
	for _, domain := range domains {
		hosts = append(hosts, domain, "*."+domain)
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}

// newAuthority makes a certificate authority, and returns it with a function that makes a server certificate for each
// connection. The authority signs these, because rustls refuses self-signed server certificates. They contain the full
// host name that the client requests, because OpenSSL and Node.js do not accept *.localhost for photos.localhost.
func newAuthority(hosts []string) (*x509.Certificate, func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	// GenerateKey fails only if there are no random numbers, and then Go ends the program.
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := authorityTemplate(hosts)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}

	// A certificate of the server is like that of the authority, but cannot sign other certificates.
	serverTemplate := template
	serverTemplate.Subject.CommonName = "s3server"
	serverTemplate.IsCA = false
	serverTemplate.KeyUsage = x509.KeyUsageDigitalSignature
	newCertificate := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		// The authority accepts the name that the client requests, perhaps only by a wildcard.
		server := serverTemplate
		if authority.VerifyHostname(hello.ServerName) == nil {
			server.DNSNames = append([]string{hello.ServerName}, server.DNSNames...)
		}
		der, err := x509.CreateCertificate(rand.Reader, &server, authority, &key.PublicKey, key)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}
	return authority, newCertificate, nil
}

// authorityTemplate returns the template of the certificate of an authority for these hosts.
func authorityTemplate(hosts []string) x509.Certificate {
	// The clocks of clients may be a little late, so the certificate is valid since an hour ago.
	template := x509.Certificate{
		Subject:               pkix.Name{CommonName: "s3server's authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(certificateTerm - time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

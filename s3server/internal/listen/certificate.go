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

// certificateTerm is the longest term that Apple's clients accept.
const certificateTerm = 825 * 24 * time.Hour

// WithCertificate returns a copy of c that has a certificate, and the certificate that
// clients must trust. It makes one for the hosts if c has none.
func WithCertificate(c *tls.Config, hosts []string) (encryption *tls.Config, trusted *x509.Certificate, err error) {
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	if c.GetCertificate != nil || c.GetConfigForClient != nil {
		return c, nil, nil // the caller knows which certificate to trust
	}
	if len(c.Certificates) == 0 {
		trusted, c.GetCertificate, err = newAuthority(hosts)
		return c, trusted, err
	}
	first := c.Certificates[0]
	if len(first.Certificate) == 0 || first.PrivateKey == nil {
		return nil, nil, errors.New("the first of Config.TLS.Certificates must have a certificate and a private key")
	}
	trusted, err = x509.ParseCertificate(first.Certificate[0])
	return c, trusted, err
}

// Hosts returns the names under which clients reach the server.
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

// newAuthority makes a certificate that signs itself, and a function that signs one for each connection. Clients with
// rustls refuse a self-signed certificate as that of a server, and clients with OpenSSL and Node.js refuse one for
// *.localhost at photos.localhost.
func newAuthority(hosts []string) (*x509.Certificate, func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	key, _ := ecdsa.GenerateKey(
		elliptic.P256(), rand.Reader,
	) // it fails only without randomness, which ends the program
	template := x509.Certificate{
		Subject:   pkix.Name{CommonName: "s3server's authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateTerm - time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	template.Subject.CommonName, template.IsCA, template.KeyUsage = "s3server", false, x509.KeyUsageDigitalSignature
	return authority, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		own := template
		if authority.VerifyHostname(hello.ServerName) == nil {
			own.DNSNames = append([]string{hello.ServerName}, own.DNSNames...)
		}
		der, err := x509.CreateCertificate(rand.Reader, &own, authority, &key.PublicKey, key)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}, err
}

"""Primes, without NumPy: configurations are checked before it is loaded."""


def primes_below(limit: int) -> tuple[int, ...]:
    """All primes smaller than `limit`, ascending (the paper's F, §3.1)."""
    limit = max(limit, 2)
    is_prime = bytearray([1]) * limit
    is_prime[:2] = b"\0\0"
    for candidate in range(2, int(limit**0.5) + 1):
        if is_prime[candidate]:
            multiples = range(candidate * candidate, limit, candidate)
            is_prime[multiples.start :: candidate] = bytes(len(multiples))
    return tuple(number for number, prime in enumerate(is_prime) if prime)

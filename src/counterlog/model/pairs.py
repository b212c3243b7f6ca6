"""Inner products of user rows and item rows, opportunity by opportunity, with a gradient that never stores a row for
each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from counterlog.errors import ModelError

if TYPE_CHECKING:
    from counterlog.model.view import Opportunities


@dataclass(frozen=True, eq=False)
class Incidence:
    """Which opportunities belong to each user and to each item, as the two compressed sparse forms of one matrix.

    ``by_user`` and ``by_item`` sort the opportunities (None where they are sorted already); pointers are int32.
    """

    shape: tuple[int, int]
    user: np.ndarray
    item: np.ndarray
    by_user: np.ndarray | None
    by_item: np.ndarray | None
    user_pointer: np.ndarray
    item_pointer: np.ndarray

    def times_items(self, weight: np.ndarray, right: np.ndarray) -> np.ndarray:
        """For each user the sum over its opportunities of weight times the item's row, ``[n_users, d]``."""
        data = weight if self.by_user is None else weight[self.by_user]
        matrix = sp.csr_matrix((data, self.item, self.user_pointer), shape=self.shape, copy=False)
        product: np.ndarray = matrix @ right
        return product

    def times_users(self, weight: np.ndarray, left: np.ndarray) -> np.ndarray:
        """For each item the sum over its opportunities of weight times the user's row, ``[n_items, d]``."""
        data = weight if self.by_item is None else weight[self.by_item]
        matrix = sp.csr_matrix((data, self.user, self.item_pointer), shape=self.shape[::-1], copy=False)
        product: np.ndarray = matrix @ left
        return product


def incidence(user: Tensor, item: Tensor, n_users: int, n_items: int) -> Incidence:
    """The incidence of some opportunities; sorts them once by user and once by item."""
    u, i = user.numpy().astype(np.int32), item.numpy().astype(np.int32)
    by_user, by_item = _order(u), _order(i)
    return Incidence(
        (n_users, n_items),
        u if by_item is None else u[by_item],
        i if by_user is None else i[by_user],
        by_user,
        by_item,
        _pointer(u, n_users),
        _pointer(i, n_items),
    )


def _order(index: np.ndarray) -> np.ndarray | None:
    return None if np.all(index[1:] >= index[:-1]) else np.argsort(index, kind="stable")


def _pointer(index: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(index, minlength=n))]).astype(np.int32)


class _InnerProducts(torch.autograd.Function):
    """``left[user] . right[item]`` of each opportunity. Backward: two sparse-by-dense products, in place of scattering
    a row an opportunity.

    Weights, left rows and right rows make one trilinear form, of which the three functions here are the partial
    derivatives: each one's gradient is made of the other two, so that second derivatives exist as well.
    """

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, rows: Opportunities) -> Tensor:
        ctx.rows = rows
        ctx.save_for_backward(left, right)
        product: Tensor = torch.linalg.vecdot(left.index_select(0, rows.user), right.index_select(0, rows.item))
        return product

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        left, right = ctx.saved_tensors
        where = ctx.rows.incidence(left.shape[0], right.shape[0])
        to_left = _UserSums.apply(grads[0], right, ctx.rows, where) if ctx.needs_input_grad[0] else None
        to_right = _ItemSums.apply(grads[0], left, ctx.rows, where) if ctx.needs_input_grad[1] else None
        return to_left, to_right, None


class _UserSums(torch.autograd.Function):
    """For each user the sum over its opportunities of weight times the item's row."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, right: Tensor, rows: Opportunities, where: Incidence) -> Tensor:
        ctx.rows, ctx.where = rows, where
        ctx.save_for_backward(weight, right)
        return torch.from_numpy(where.times_items(weight.detach().numpy(), right.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        weight, right = ctx.saved_tensors
        to_weight = _InnerProducts.apply(grads[0], right, ctx.rows) if ctx.needs_input_grad[0] else None
        to_right = _ItemSums.apply(weight, grads[0], ctx.rows, ctx.where) if ctx.needs_input_grad[1] else None
        return to_weight, to_right, None, None


class _ItemSums(torch.autograd.Function):
    """For each item the sum over its opportunities of weight times the user's row."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, left: Tensor, rows: Opportunities, where: Incidence) -> Tensor:
        ctx.rows, ctx.where = rows, where
        ctx.save_for_backward(weight, left)
        return torch.from_numpy(where.times_users(weight.detach().numpy(), left.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        weight, left = ctx.saved_tensors
        to_weight = _InnerProducts.apply(left, grads[0], ctx.rows) if ctx.needs_input_grad[0] else None
        to_left = _UserSums.apply(weight, grads[0], ctx.rows, ctx.where) if ctx.needs_input_grad[1] else None
        return to_weight, to_left, None, None


def inner_products(left: Tensor, right: Tensor, rows: Opportunities) -> Tensor:
    """``left[user] . right[item]`` of each opportunity, shape ``[n]``.

    Where the opportunities fill a good part of the grid one matrix product is made for all cells. Else rows are
    gathered, and on a CPU the gradient is two sparse products. All ways give the same numbers up to rounding.

    Raises
    ------
    ModelError
        More than one table of rows, as where a handler splits worlds at a site of users or items: rows are looked up
        along the first dimension.
    """
    if left.dim() != 2 or right.dim() != 2:
        raise ModelError(
            f"an affinity takes one row a user and one row an item; given shapes {tuple(left.shape)} and "
            f"{tuple(right.shape)}. Worlds cannot be split at a site of users or items: act in one world at a time"
        )
    n_users, n_items = left.shape[0], right.shape[0]
    if 4 * len(rows) >= n_users * n_items:
        return (left @ right.T).reshape(-1).index_select(0, rows.user * n_items + rows.item)
    plain = type(left) is Tensor and type(right) is Tensor  # provenance tensors must see every operation
    if (
        plain
        and left.device.type == "cpu"
        and left.dtype == right.dtype
        and (left.requires_grad or right.requires_grad)
    ):
        product: Tensor = _InnerProducts.apply(left, right, rows)
        return product
    return torch.linalg.vecdot(left.index_select(0, rows.user), right.index_select(0, rows.item))
